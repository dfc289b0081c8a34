"""For the command line's tests: two small networks and folders of pictures as a practitioner has them, and a run."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from _tiny import images, randomise_norms
from PIL import Image

from pnc.arch import BlockNet, NetworkSpec, build, save_network
from pnc.base.images import Images
from pnc.commands import main

SIZE = 8
BIRDS, ANIMALS = ("crow", "kiwi", "owl"), ("cat", "dog")
QUICK = [
    *(
        "neighbourhood.grid=2",
        "neighbourhood.masks=8",
        "inputs_per_epoch=64",
        "start_inputs=16",
        "held_out_inputs=16",
    ),
    *("schedule.epochs=2", "schedule.batch=32", "insert.epochs=2", "insert.batch=32"),
]


def small_network(names: Sequence[str], seed: int) -> tuple[BlockNet, NetworkSpec]:
    """Three blocks for 8×8 RGB pictures."""
    spec = NetworkSpec("plain_cnn", tuple(names), (0.5, 0.4, 0.6), (0.25, 0.3, 0.2), size=SIZE, width=0.125)
    return randomise_norms(build(spec, seed), seed), spec


def write_pictures(folder: Path, content: Images) -> Path:
    """FOLDER/CLASS/NUMBER.png"""
    for index, (pixels, label) in enumerate(zip(content.pixels, content.labels.tolist(), strict=True)):
        file = folder / content.class_names[label] / f"{index:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(file)
    return folder


def named_images(names: Sequence[str], each: int, seed: int) -> Images:
    found = images(len(names), each, size=SIZE, seed=seed)
    return Images(found.pixels, found.labels, tuple(names))


def make_files(folder: Path) -> Path:
    """birds.safetensors (source), animals.safetensors (target), and pictures of both in birds/ and animals/."""
    for name, classes, seed in (("birds", BIRDS, 1), ("animals", ANIMALS, 2)):
        save_network(folder / f"{name}.safetensors", *small_network(classes, seed))
        write_pictures(folder / name, named_images(classes, 8, seed))
    return folder


def clone_words(out: str = "owls.pnc", *more: str) -> list[str]:
    """A command line, for the folder of ``make_files``."""
    networks = ["--source", "birds.safetensors", "--target", "animals.safetensors", "--samples", "birds"]
    return ["clone", *networks, "--classes", "owl", "1=brown kiwi", "--set", *QUICK, "--out", out, *more]


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """What a command prints that succeeds."""
    assert main([str(word) for word in words]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """The one line of a command that fails; nothing else is printed but warnings."""
    assert main([str(word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    *warned, last = err.splitlines()
    assert all(line.startswith("pnc: warning: ") for line in warned) and last.startswith("pnc: "), err
    return last.removeprefix("pnc: ")
