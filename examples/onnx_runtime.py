"""The target with its clone as one ONNX file, and ONNX Runtime in PyTorch's place.

    python examples/onnx_runtime.py

Needs pnc[data,export]. LeNet-5 on scikit-learn's digits: the one that knows 0 to 4 gets the 7 of the one that knows
5 to 9.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime

import pnc
from pnc.base.classifier import Recipe, train_classifier
from pnc.base.images import Images, as_float
from pnc.base.train import Schedule
from pnc.data import DataSpec, load

SETTINGS = Path(__file__).with_name("quick.json")  # small ones; leave them out for your own networks


def trained(images: Images) -> pnc.BlockNet:
    network = pnc.build(pnc.NetworkSpec("lenet5", images.class_names, *images.mean_std()))
    train_classifier(network, images, Recipe(Schedule(epochs=10, batch=64, lr=4e-3)), seed=0, label="LeNet-5")
    return network


def main(folder: Path) -> None:
    train, test = (load(DataSpec("digits"), split) for split in ("train", "test"))
    target, source = trained(train.relabelled(range(5))), trained(train.relabelled(range(5, 10)))
    samples = train.relabelled(range(5, 10)).of_classes([2])  # D_t: pictures of the source's class 2, "7"
    package = pnc.clone(source, target, samples, classes=["7"], settings=SETTINGS)
    cloned = pnc.attach(target, source, package)
    path = folder / "digits.onnx"
    cloned.export(path, as_float(test.pixels[:1]))  # one picture says their shape; any number fits

    # From here on neither pnc nor PyTorch is needed: a file, and pictures in [0, 1].
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    facts = json.loads(session.get_modelmeta().custom_metadata_map["pnc"])
    asked = test.relabelled([0, 1, 2, 3, 4, 7])  # as many classes as the file answers with, in its order
    pictures, labels = asked.pixels.numpy().astype(np.float32) / 255, asked.labels.numpy()
    (logits,) = session.run(["logits"], {"pictures": pictures})

    right, new = logits.argmax(1) == labels, labels == 5
    ori, tar = 100 * right[~new].mean(), 100 * right[new].mean()
    leak = 100 * (logits.argmax(1)[~new] == 5).mean()
    print(f"Ori {ori:.1f} %, Tar {tar:.1f} %, Avg {(5 * ori + tar) / 6:.1f} %, leak {leak:.1f} %")
    print(f"{path.stat().st_size} bytes, pictures {facts['input']['shape']}, classes {', '.join(facts['classes'])}")
    error = np.abs(logits - cloned(as_float(asked.pixels)).numpy()).max()
    print(f"farthest from PyTorch's logits: {error:.0e}")


if __name__ == "__main__":
    with TemporaryDirectory() as name:
        main(Path(name))
