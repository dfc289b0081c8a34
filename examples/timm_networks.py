"""Two timm networks and a folder of pictures: the one that knows 0 to 4 gets the 7 of the one that knows 5 to 9.

    python examples/timm_networks.py

Needs timm and pnc[data]. Most of the time goes into training networks that you would already have.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import timm
import torch
from torchvision.io import write_png

import pnc
from pnc.base.classifier import Recipe, train_classifier
from pnc.base.evaluate import joint, scores
from pnc.base.images import Images
from pnc.base.train import Schedule
from pnc.data import DataSpec, load

SETTINGS = Path(__file__).with_name("quick.json")  # small ones; leave them out for your own networks


def write_pictures(folder: Path) -> None:
    """FOLDER/train/CLASS/*.png and FOLDER/test/CLASS/*.png, as your own pictures may lie already."""
    for split in ("train", "test"):
        images = load(DataSpec("digits"), split)
        for index, label in enumerate(images.labels.tolist()):
            path = folder / split / str(label) / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(images.pixels[index], str(path))


def trained(name: str, images: Images) -> pnc.BlockNet:
    """Any timm network by its name, trained on pixels in [0, 1], as blocks and a head."""
    model = timm.create_model(name, num_classes=len(images.class_names), in_chans=images.channels)
    recipe = Recipe(Schedule(epochs=12, batch=64, lr=4e-3))
    train_classifier(model, images, recipe, seed=0, label=name)
    return pnc.wrap(model, normalise=None, size=32, names=images.class_names)


def main(folder: Path) -> None:
    write_pictures(folder)
    train, test = (load(DataSpec("folder"), split, folder) for split in ("train", "test"))
    torch.manual_seed(0)  # timm draws its weights from the global generator
    target = trained("test_resnet", train.relabelled(range(5)))
    source = trained("test_efficientnet", train.relabelled(range(5, 10)))

    samples = train.relabelled(range(5, 10)).of_classes([2])  # D_t: pictures of the source's class 2, "7"
    package = pnc.clone(source, target, samples, ["7"], settings=SETTINGS, positions=[3])  # or try all R
    cloned = pnc.attach(target, source, package)
    found = scores(joint(cloned, 5), test.relabelled(range(5)), test.relabelled([7]))
    print("Ori {ori:.1f} %, Tar {tar:.1f} %, Avg {avg:.1f} %, leak {leak:.1f} %".format(**found))
    print(f"R = {package.info.position}, package {package.nbytes} bytes, classes {', '.join(cloned.classes)}")


if __name__ == "__main__":
    with TemporaryDirectory() as name:
        main(Path(name))
