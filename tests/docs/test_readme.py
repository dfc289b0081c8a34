"""The code on the pages runs as it is written there, and prints what the page says."""

import contextlib
import copy
import doctest
import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from _pages import DOCS, PAGES, README, blocks, name
from _tiny import OWLS, images, package_for, pictures, samples, source_and_target, tiny_network
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import pnc
from pnc.cloning.settings import CloneSettings

Names = dict[str, Any]
NOT_RUN = {
    "docs/command-line.md": ['@command("greet")'],  # a file of a room, not a script
    "docs/zoo.md": [
        "from pnc.data import",
        'pnc.Zoo("zoo")',
        "pnc.find_damage",
    ],  # tests/zoo/test_docs.py runs the first
    "docs/timm.md": ["timm.create_model", "onnxruntime"],  # tests/docs/test_timm.py runs both
    "docs/howto.md": ["animals.cuda()"],  # needs a graphics card
    "docs/networks.md": ["pretrained=True"],  # downloads weights
}
UNMARKED = ["README.md", "docs/shipping.md"]  # all of their Python is run
QUICK = {
    "neighbourhood": {"grid": 2, "masks": 8},
    "keep": 0.5,
    "inputs_per_epoch": 64,
    "start_inputs": 16,
    "held_out_inputs": 16,
    "schedule": {"epochs": 2, "batch": 32, "lr": 0.01},
    "insert": {"epochs": 2, "batch": 32, "lr": 0.01},
}


def one_block(classes: int) -> nn.Sequential:
    """The smallest network there is: R can only be 0."""
    conv = nn.Conv2d(3, 4, 3, padding=1)
    return nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes)).eval()


def of_readme() -> Names:
    """``birds``, ``animals``, a ``loader`` of few pictures of birds 3 and 7, a batch ``x``."""
    few = images(8, 4, size=4).of_classes([3, 7])
    loader = DataLoader(TensorDataset(few.pixels, few.labels), batch_size=3)
    return {"birds": one_block(8), "animals": one_block(5), "loader": loader, "x": pictures(3, size=4)}


def of_recipes() -> Names:
    """Two networks with named classes, samples of two of them, and settings that make learning quick."""
    birds, animals = tiny_network("bird", 8), tiny_network("animal", 4, (5, 7))
    birds.class_names = tuple({3: "owl", 7: "kiwi"}.get(index, f"bird {index}") for index in range(8))
    every = images(8, 6, "bird")
    return {
        "Path": Path,
        "pnc": pnc,
        "torch": torch,
        "birds": birds,
        "animals": animals,
        "samples": every.of_classes([3, 7]),
        "samples_of": lambda output: every.of_classes([output]),
        "own_samples": images(4, 6, "animal", seed=1),
        "x": pictures(3),
        "settings": copy.deepcopy(QUICK),
    }


def of_api() -> Names:
    """What docs/api/index.md promises."""
    source, target = source_and_target()
    given = {"source": source, "target": target, "samples": samples(), "pictures": pictures(2)}
    return {"pnc": pnc, "torch": torch, "settings": copy.deepcopy(QUICK), **given}


def of_shipping() -> Names:
    """Two networks, a package made for them, and an ``example``."""
    birds, animals = source_and_target()
    package = package_for(birds, animals, 1, tuple(OWLS), tuple(OWLS.values()))
    return {"pnc": pnc, "birds": birds, "animals": animals, "package": package, "example": pictures(2)}


def of_method() -> Names:
    """Two networks with a package each for one target; the packages take nothing from anybody."""
    target, birds, beasts = (
        tiny_network("animal", 4),
        tiny_network("bird", 4, seed=1),
        tiny_network("beast", 4, seed=2),
    )
    target.class_names = ("cat", "dog", "cow", "hen")
    owls, lynxes = (
        replace(found, rows={**found.rows, "bias": found.rows["bias"] - 1000})
        for found in (package_for(birds, target, 1, (3,), ("owl",)), package_for(beasts, target, 1, (0,), ("lynx",)))
    )
    given = {"pictures_of_owls": pictures(3), "pictures_of_cats": pictures(2), "pictures": {"cat": pictures(2)}}
    networks = {"target": target, "birds": birds, "beasts": beasts}
    return {"pnc": pnc, **networks, "owls": owls, "lynxes": lynxes, **given}


PREAMBLES: dict[str, Callable[[], Names]] = {
    "README.md": of_readme,
    "docs/quickstart.md": dict,  # a script of its own
    "docs/howto.md": of_recipes,
    "docs/method.md": of_method,
    "docs/shipping.md": of_shipping,
} | {name(page): of_api for page in (DOCS / "api").glob("*.md")}
WITH_CODE = [page for page in PAGES if any(block.runnable for block in blocks(page)) or name(page) in UNMARKED]


def run(page: Path) -> tuple[list[tuple[str, str]], Names]:
    """Run the page's blocks one after another; pairs of what was printed and what the page says, and the names."""
    known, pairs, printed = PREAMBLES[name(page)](), [], ""
    for block in blocks(page):
        if block.language == "python":
            printed = ""
            if block.runnable or name(page) in UNMARKED:
                with contextlib.redirect_stdout(io.StringIO()) as out:
                    source = "\n" * block.line + block.text  # so that a traceback names the page's line
                    exec(compile(source, str(page), "exec"), known)
                printed = out.getvalue()
        elif block.language == "text":
            pairs.append((printed, block.text))
    return pairs, known


@pytest.mark.parametrize("page", WITH_CODE, ids=name)
def test_the_code_of_a_page_runs_and_prints_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if page == README:  # it has no settings of its own: half a minute of processor time, if left alone
        fewer = {8000: 512, 1024: 64, 2048: 64}
        defaults = tuple(fewer.get(value, value) for value in CloneSettings.__init__.__defaults__)
        monkeypatch.setattr(CloneSettings.__init__, "__defaults__", defaults)
    pairs, known = run(page)
    for printed, said in pairs:
        if page.name == "quickstart.md":  # trained networks, whose numbers vary with the processor
            printed, said = (re.sub(r"\d+(\.\d+)?", "#", text) for text in (printed, said))
        assert printed == said
    check = CHECKS.get(name(page))
    if check is not None:
        check(known)


def check_readme(known: Names) -> None:
    """What the README's comments say of its lines."""
    cloned, animals, x = known["cloned"], known["animals"], known["x"]
    assert cloned.classes[-2:] == ("owl", "kiwi")
    assert torch.equal(cloned(x)[:, :5], animals(x))
    assert Path("owl-kiwi.pnc").stat().st_size < 10_000
    with pytest.raises(pnc.PncError, match=r"SHA-256: expected [0-9a-f]{64} .*found [0-9a-f]{64}"):
        pnc.attach(animals, one_block(8), "owl-kiwi.pnc")


def check_quickstart(known: Names) -> None:
    """The clone of the quickstart is a good one: digits 0 to 4 and 5 on pictures that nothing was trained on."""
    test = ~known["training"] & (known["labels"] <= 5)
    answers, labels = known["cloned"](known["pictures"][test]).argmax(1), known["labels"][test]
    right = answers == labels
    assert right[labels < 5].float().mean() > 0.95
    assert right[labels == 5].float().mean() > 0.8


def check_shipping(known: Names) -> None:
    """One file for each receiver, and a model that gives the clone's answers."""
    assert {path.name for path in Path().iterdir()} == {
        "owl-kiwi.safetensors",
        "zoo.safetensors",
        "zoo.pt2",
        "zoo.onnx",
    }
    example = known["example"]
    assert torch.allclose(known["model"](example), known["cloned"](example), atol=1e-4)


CHECKS = {"README.md": check_readme, "docs/quickstart.md": check_quickstart, "docs/shipping.md": check_shipping}


def test_every_python_block_is_run_or_said_to_be_an_exception() -> None:
    assert README in WITH_CODE and DOCS / "quickstart.md" in WITH_CODE
    for page in PAGES:
        every = [block for block in blocks(page) if block.language == "python"]
        left = [block.text for block in every if not block.runnable and name(page) not in UNMARKED]
        reasons = NOT_RUN.get(name(page), [])
        assert len(left) == len(reasons), f"{name(page)}: a block that is not marked as runnable"
        for text, reason in zip(left, reasons, strict=True):
            assert reason in text
            compile(text, str(page), "exec")


def test_examples_in_the_docstrings_of_public_names_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    finder, runner = doctest.DocTestFinder(exclude_empty=True), doctest.DocTestRunner()
    for public in pnc.__all__:
        for test in finder.find(getattr(pnc, public), public, globs={"pnc": pnc, "torch": torch, "nn": nn}):
            runner.run(test)
    failed, attempted = runner.summarize()
    assert attempted > 0 and failed == 0
