"""A network from scratch over old and new classes: what the rows of joint training share."""

from pnc.arch import BlockNet, build
from pnc.base.classifier import train_classifier
from pnc.base.images import Images
from pnc.methods._registry import MethodTask


def train_jointly(task: MethodTask, images: Images) -> BlockNet:
    """A new network of ``task.spec``, trained on ``images`` by the recipe of the target."""
    network = build(task.spec, task.seed).to(images.pixels.device)
    train_classifier(
        network,
        images,
        task.recipe,
        seed=task.seed,
        label="joint training",
        checkpoint=task.checkpoint,
        progress=task.progress,
    )
    return network
