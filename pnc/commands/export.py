"""``pnc export``."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from pnc.base.errors import bad
from pnc.commands._main import Run, command


@command("export")
def export(parser: ArgumentParser) -> Run:
    """Write a target with its clones as one file that needs neither network: safetensors, pt2 or onnx.

    It is read back and compared with the model before it takes its place.
    """
    parser.add_argument("model", type=Path, metavar="MODEL", help="a file that pnc attach wrote")
    parser.add_argument("file", type=Path, metavar="FILE", help="its ending says the format")
    parser.add_argument("--format", choices=("safetensors", "pt2", "onnx"), help="whatever the ending")
    parser.add_argument("--size", type=int, metavar="PIXELS", help="side of its pictures (default: the networks')")
    return _run


def _run(arguments: Namespace) -> None:
    import torch

    from pnc.base.seeds import generator
    from pnc.commands._model import read_model, with_clones
    from pnc.commands._networks import picture_kind
    from pnc.commands._package import digest

    model = read_model(arguments.model)
    side, channels = picture_kind(model.networks, arguments.size)
    if side is None:
        raise bad("--size", expected="the side of the pictures, as the networks do not say it", found="none")
    shape = (channels, side, side)
    example = torch.rand(2, *shape, generator=generator(0, "example"))
    with_clones(model.running, f"{arguments.model}, to export").export(arguments.file, example, arguments.format)
    print(f"{arguments.file}: {arguments.file.stat().st_size:,} bytes, SHA-256 {digest(arguments.file)}")
    print(f"  pictures [N, {', '.join(map(str, shape))}] in [0, 1] → logits [N, {len(model.classes)}]")
    print(f"  classes  {', '.join(model.classes)}")
