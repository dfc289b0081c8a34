"""Ship a clone: a file that was damaged on its way is refused, a whole one works, also where the source is not.

    python examples/ship.py

Needs pnc[data]. LeNet-5 on scikit-learn's digits: the one that knows 0 to 4 gets the 7 of the one that knows 5 to 9.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import pnc
from pnc.base.classifier import Recipe, train_classifier
from pnc.base.evaluate import joint, scores
from pnc.base.images import Images
from pnc.base.train import Schedule
from pnc.data import DataSpec, load

SETTINGS = Path(__file__).with_name("quick.json")  # small ones; leave them out for your own networks


def trained(images: Images) -> pnc.BlockNet:
    network = pnc.build(pnc.NetworkSpec("lenet5", images.class_names, *images.mean_std()))
    train_classifier(network, images, Recipe(Schedule(epochs=10, batch=64, lr=4e-3)), seed=0, label="LeNet-5")
    return network


def lossy_channel(sent: Path) -> Path:
    content, arrived = sent.read_bytes(), sent.with_name(f"damaged-{sent.name}")
    arrived.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # one wrong bit
    return arrived


def show(what: str, file: Path, model: pnc.ClonedModel, test: Images) -> None:
    found = scores(joint(model, 5), test.relabelled(range(5)), test.relabelled([7]))
    print("Ori {ori:.1f} %, Tar {tar:.1f} %, Avg {avg:.1f} %, leak {leak:.1f} %".format(**found), end=" ")
    print(f"{what}, from {file.stat().st_size} bytes")


def main(folder: Path) -> None:
    train, test = (load(DataSpec("digits"), split) for split in ("train", "test"))
    target, source = trained(train.relabelled(range(5))), trained(train.relabelled(range(5, 10)))
    samples = train.relabelled(range(5, 10)).of_classes([2])  # D_t: pictures of the source's class 2, "7"
    package = pnc.clone(source, target, samples, classes=["7"], settings=SETTINGS)
    small, module = folder / "seven.pnc", folder / "seven.safetensors"
    package.save(small)  # for a receiver who has both networks
    pnc.attach(target, source, package).export_module(module)  # for one who has the target alone
    for file, read in ((small, pnc.ClonePackage.load), (module, pnc.ModulePackage.load)):
        try:
            read(lossy_channel(file))
        except pnc.PncError as error:
            print(f"refused: {error}")
    show("with the source", small, pnc.attach(target, source, small), test)
    alone = pnc.attach_module(target, module)
    show("without the source", module, alone, test)
    print(f"taken out again, the target is the very same: {alone.detach() is target}")


if __name__ == "__main__":
    with TemporaryDirectory() as name:
        main(Path(name))
