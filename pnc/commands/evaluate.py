"""``pnc evaluate``."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from pnc.commands._learning import add_size_and_device
from pnc.commands._main import Run, command

BATCH = 100  # pictures at a time


@command("evaluate")
def evaluate(parser: ArgumentParser) -> Run:
    """Say how many pictures a target with clones gets right: each class, the old ones, the new ones.

    In the line "all" every class weighs the same.
    """
    parser.add_argument("model", type=Path, metavar="MODEL", help="what attach wrote, or export as safetensors")
    parser.add_argument(
        "pictures", nargs="+", type=Path, metavar="PLACE",
        help="folders with a folder for each class, or Parquet files; other classes are passed over",
    )  # fmt: skip
    add_size_and_device(parser)
    return _run


def _run(arguments: Namespace) -> None:
    from pnc.base.evaluate import predict
    from pnc.commands._accuracies import read_classifier, report
    from pnc.commands._pictures import read_pictures
    from pnc.data.by_class import class_names

    model = read_classifier(arguments.model, arguments.size, arguments.device)
    images = read_pictures(arguments.pictures, model.outputs, model.classes, model.size, model.channels)
    answers = predict(model.network, images.to(arguments.device).pixels, BATCH).argmax(1)
    print(report(model.classes, model.old, answers.cpu(), images.labels))
    if strange := sorted(set(class_names(arguments.pictures)) - set(model.outputs)):
        print(f"passed over, no class of the model: {', '.join(strange)}")
