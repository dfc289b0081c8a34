"""``pnc clone``: what it learns, how it goes on, what it refuses."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from _commands import BIRDS, QUICK, SIZE, clone_words, make_files, named_images, refused, run, write_pictures
from hypothesis import given
from hypothesis import strategies as st

import pnc
import pnc.cloning.localize_insert
from pnc.base.images import Images
from pnc.commands import main
from pnc.commands._learning import parse_settings


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(make_files(tmp_path))
    return tmp_path


@pytest.fixture
def package(files: Path, capsys: pytest.CaptureFixture[str]) -> pnc.ClonePackage:
    run(capsys, *clone_words())
    return pnc.ClonePackage.load("owls.pnc")


def test_it_learns_what_pnc_clone_learns_to_the_bit(package: pnc.ClonePackage) -> None:
    source, target = (pnc.load_network(f"{name}.safetensors")[0] for name in ("birds", "animals"))
    samples = named_images(BIRDS, 8, 1).of_classes([1, 2])
    expected = pnc.clone(source, target, samples, {2: "owl", 1: "brown kiwi"}, settings=parse_settings(QUICK))
    assert package._serialise() == expected._serialise()


def test_provenance_has_the_losses_and_the_offset_of_every_position(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, *clone_words("all.pnc", "--positions", "all", "--quiet"))
    package = pnc.ClonePackage.load("all.pnc")
    every, own = package.info.provenance["searched"], package.info.provenance
    assert set(every) == {"2", "1", "0"}
    assert {key: own[key] for key in every["0"]} == every[str(package.info.position)]
    assert set(every["0"]) == {"loss", "accuracy", "delta", "leak"}
    assert min(every, key=lambda R: every[R]["loss"]) == str(package.info.position)


def test_quick_is_the_preset_which_set_overrides(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(pnc, "clone", lambda *_, settings, **__: (asked.append(settings), sys.exit()))
    with pytest.raises(SystemExit):
        main([*clone_words(), "--quick"])
    assert asked == [{**pnc.QUICK, **parse_settings(QUICK)}]
    assert parse_settings(["neighbourhood.grid=2"], pnc.QUICK)["neighbourhood"] == {"masks": 20, "grid": 2}
    assert pnc.QUICK["neighbourhood"] == {"masks": 20}


def test_nothing_unfinished_is_left_behind(package: pnc.ClonePackage, files: Path) -> None:
    assert [path.name for path in files.iterdir() if "unfinished" in path.name or path.name.startswith(".")] == []


def test_an_interrupted_clone_goes_on_and_ends_with_the_same_bytes(
    package: pnc.ClonePackage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrate, calls = pnc.cloning.localize_insert.calibrate, []

    def interrupted(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return calibrate(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(pnc.cloning.localize_insert, "calibrate", interrupted)
        assert main(clone_words("again.pnc")) == 130
    first = capsys.readouterr().err.splitlines()
    assert first[-1] == "pnc: interrupted; the same command goes on from again.pnc.unfinished"
    assert not Path("again.pnc").exists()
    run(capsys, *clone_words("again.pnc", "--quiet"))
    assert Path("again.pnc").read_bytes() == Path("owls.pnc").read_bytes()


def test_what_was_learned_is_not_learned_again(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pnc.cloning.localize_insert, "calibrate", interrupted)
        assert main(clone_words("owls.pnc", "--positions", "all")) == 130
    assert "localise: 2/2" in capsys.readouterr().err
    assert main(clone_words("owls.pnc", "--positions", "all")) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "pnc: going on from owls.pnc.unfinished" in lines
    assert lines.count("localise: 2/2") == lines.count("insert: 2/2") == 2  # of R = 1 and 0


def test_an_unfinished_clone_of_something_else_is_not_gone_on_with(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    run(capsys, *clone_words("plain.pnc", "--seed", "3", "--positions", "2"))
    with monkeypatch.context() as patched:
        patched.setattr(pnc.cloning.localize_insert, "calibrate", interrupted)
        assert main(clone_words()) == 130
    run(capsys, *clone_words("owls.pnc", "--seed", "3", "--positions", "2"))
    assert Path("owls.pnc").read_bytes() == Path("plain.pnc").read_bytes()


def test_pictures_of_the_target_make_the_regime_rehearsal(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, *clone_words("owls.pnc", "--rehearsal", "animals", "--positions", "2", "--quiet"))
    assert "regime           rehearsal" in out
    line = refused(capsys, *clone_words("x.pnc", "--rehearsal", "animals", "--regime", "strict"))
    assert line.startswith("settings.regime beside rehearsal samples (D_o): expected rehearsal")
    line = refused(capsys, *clone_words("x.pnc", "--regime", "rehearsal"))
    assert line == "regime rehearsal: expected samples of the target's classes (D_o), found none"


def test_folders_may_be_named_by_the_new_name_too(
    package: pnc.ClonePackage, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("birds/kiwi").rename("birds/brown kiwi")
    run(capsys, *clone_words("renamed.pnc", "--quiet"))
    assert Path("renamed.pnc").read_bytes() == Path("owls.pnc").read_bytes()


def test_parquet_gives_what_a_folder_gives(package: pnc.ClonePackage, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = [
        (path.read_bytes(), label)
        for label, name in enumerate(BIRDS)
        for path in sorted(Path("birds", name).iterdir())
    ]
    table = pa.table({"image": [data for data, _ in pictures], "label": [label for _, label in pictures]})
    pq.write_table(table.replace_schema_metadata({"names": ",".join(BIRDS)}), "birds.parquet")
    words = [word if word != "birds" else "birds.parquet" for word in clone_words("rows.pnc", "--quiet")]
    run(capsys, *words)
    ours, theirs = pnc.ClonePackage.load("rows.pnc"), package
    assert all(torch.equal(ours.rows[name], theirs.rows[name]) for name in theirs.rows)


def test_pictures_are_brought_to_the_networks_size(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    big = Images(*((each := named_images(BIRDS, 8, 1).resized(2 * SIZE)).pixels, each.labels, BIRDS))
    shutil.rmtree("birds")
    write_pictures(Path("birds"), big)
    assert "channels of 2×2" in run(capsys, *clone_words("owls.pnc", "--positions", "2", "--quiet"))
    line = refused(capsys, *clone_words("x.pnc", "--size", "7"))
    assert line == "settings.neighbourhood.grid: expected a divisor of the pictures' 7×7 pixels, found 2"


WRONG: dict[str, tuple[list[str], str]] = {
    "no such class": (
        ["--classes", "eagle"],
        "--classes: expected outputs of the source, 0…2 or one of crow, kiwi, owl",
    ),
    "a class twice": (["--classes", "owl", "2=uhu"], "--classes: expected each once, found '2=uhu' again"),
    "a class of the target": (["--classes", "owl=cat"], "classes to clone (T_s): expected names that the target"),
    "no pictures": (
        ["--samples", "animals"],
        "animals: expected pictures of a class that is asked for, found none of",
    ),
    "no folder": (["--samples", "nowhere"], "nowhere: expected a folder with a folder for each class, or a Parquet"),
    "no network": (["--source", "no.safetensors"], "network 'no.safetensors': expected a file that pnc.save_network"),
    "no setting": (["--set", "kept=0.5"], "settings: unknown key: expected one of adapter"),
    "no pair": (["--set", "keep"], "--set: expected KEY=VALUE, found 'keep'"),
    "a wrong value": (["--set", "keep=much"], "settings.keep: expected a value of type float, found 'much'"),
    "whole and in parts": (["--set", "insert=null", "insert.lr=1"], "--set: expected 'insert' whole or in parts"),
    "no device": (["--device", "abacus"], "--device: expected a device that is here, cpu or cuda, found 'abacus'"),
    "no number": (["--positions", "2", "last"], "--positions: expected whole numbers, or all, found 2 last"),
    "no position": (["--positions", "5"], "positions R: expected blocks of the target, 0…2, found [5]"),
    "no place": (
        ["--out", "animals.safetensors/x.pnc"],
        "--out: expected a file in a folder that is there, found 'animals.safetensors/x.pnc'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_one_line_before_any_work(
    case: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, line = WRONG[case]
    assert refused(capsys, *clone_words("x.pnc", *words)).startswith(line)
    assert not Path("x.pnc.unfinished").exists()


KEYS = st.text("abcdefgh_", min_size=1, max_size=5)
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, min_size=1), max_size=5))
def test_set_takes_every_nested_setting(settings: dict[str, Any]) -> None:
    import json

    pairs = []
    for key, value in settings.items():
        parts = {f"{key}.{name}": own for name, own in value.items()} if isinstance(value, dict) else {key: value}
        pairs += [f"{name}={json.dumps(own)}" for name, own in parts.items()]
    assert parse_settings(pairs) == settings
