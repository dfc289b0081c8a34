"""``pnc zoo``, ``select`` and ``repair``, and zoo names wherever a network or a package is asked for."""

import json
from pathlib import Path

import pytest
from _commands import QUICK, clone_words, make_files, refused, run

from pnc.cloning.package import ClonePackage
from pnc.commands import main
from pnc.zoo import Zoo

NETWORKS = ["--source", "zoo:birds@zoo", "--target", "zoo:animals@zoo"]
REPAIR = [*NETWORKS, "--samples", "birds", "--out", "whole.pnc", "--set", *QUICK]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A zoo of two networks and a package, in the working directory."""
    monkeypatch.delenv("PNC_ZOO", raising=False)
    monkeypatch.chdir(make_files(tmp_path))
    for name in ("birds", "animals"):
        run(
            capsys, "zoo", "add", "zoo", name, f"{name}.safetensors", "--samples", name, "--each", "2", "--test", name
        )
    run(capsys, *clone_words("owls.pnc", "--positions", "2", "--quiet"))
    run(capsys, "zoo", "add", "zoo", "owls", "owls.pnc")
    return tmp_path


def damage(file: Path, name: str) -> None:
    """Zeros where the tensor ``name`` was."""
    content = bytearray(file.read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    first, stop = json.loads(content[8:start])[name]["data_offsets"]
    content[start + first : start + stop] = bytes(stop - first)
    file.write_bytes(content)


def test_a_zoo_lists_shows_ranks_and_verifies(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "zoo", "list", "zoo")
    size = (folder / "birds.safetensors").stat().st_size
    assert f"{size:,}" in out and "crow, kiwi, owl" in out
    assert out.splitlines()[-1].split()[2:] == ["birds", "animals", "owl,", "brown", "kiwi"]
    assert "plain_cnn, width 0.125" in run(capsys, "zoo", "show", "zoo", "birds")
    assert run(capsys, "zoo", "verify", "zoo") == "zoo: every file is what its name says\n"
    ranked = run(capsys, "select", "zoo", "--target", "zoo:animals@zoo", "--classes", "owl").splitlines()
    assert ranked[0].split()[:2] == ["source", "Sim"] and ranked[1].split()[0] == "birds"
    again = run(capsys, "select", "zoo", "--target", "animals.safetensors", "--classes", "owl", "--samples", "birds")
    assert again.splitlines()[1].split()[-1] == "8"


def test_clone_inspect_attach_and_evaluate_take_zoo_names(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word.replace(".safetensors", "@zoo") for word in clone_words("again.pnc", "--positions", "2", "--quiet")]
    run(capsys, *(f"zoo:{word}" if word.endswith("@zoo") else word for word in words))
    assert (folder / "again.pnc").read_bytes() == (folder / "owls.pnc").read_bytes()
    assert "owl (output 2)" in run(capsys, "inspect", "zoo:owls@zoo")
    run(capsys, "attach", *NETWORKS, "--package", "zoo:owls@zoo", "--out", "both.json")
    assert "+ owl" in run(capsys, "evaluate", "both.json", "birds", "animals")
    (folder / "zoo/packages/owls.pnc").unlink()
    assert "expected the file that was attached, found no file" in refused(capsys, "evaluate", "both.json", "birds")
    assert "it was revoked" in refused(capsys, "inspect", "zoo:owls@zoo")


def test_a_damaged_package_is_repaired_from_the_zoos_checksums(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(folder / "owls.pnc", "A.weight")
    out = run(capsys, "repair", "owls.pnc", "--checksums", "zoo:owls@zoo", *REPAIR)
    assert out.startswith("damaged: A.weight\nwhole.pnc: ")
    repaired, sent = ClonePackage.load("whole.pnc"), Zoo("zoo").package("owls")
    assert repaired.info.provenance["repaired"] == ["A.weight"]
    assert repaired.rows["weight"].equal(sent.rows["weight"]) and repaired.adapter["bias"].equal(sent.adapter["bias"])
    damage(folder / "zoo/packages/owls.pnc", "A.weight")
    assert main(["zoo", "verify", "zoo"]) == 2
    assert "packages/owls.pnc: expected the SHA-256" in capsys.readouterr().out
    run(capsys, "repair", "zoo:owls@zoo", *REPAIR)
    run(capsys, "zoo", "add", "zoo", "owls", "whole.pnc")
    assert "nothing to repair" in run(capsys, "repair", "zoo:owls@zoo", *REPAIR)
    run(capsys, "zoo", "verify", "zoo")


def test_what_does_not_fit_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in (folder / "zoo").rglob("*") if path.is_file()}
    damage(folder / "owls.pnc", "M.2.0")
    cases = {
        "expected one of animals, birds, found 'fish'": ["zoo", "show", "zoo", "fish"],
        "expected an index.json, found none": ["zoo", "list", "nowhere"],
        "expected zoo:NAME@LOCATION": ["inspect", "zoo:owls"],
        "expected one that the zoo does not have": ["zoo", "add", "zoo", "birds", "animals.safetensors"],
        "found a package": ["zoo", "add", "zoo", "more", "owls.pnc", "--test", "birds"],
        "found a damaged file (checksum does not fit)": ["zoo", "add", "zoo", "more", "owls.pnc"],
        "expected one that knows fish": ["select", "zoo", "--target", "zoo:animals@zoo", "--classes", "fish"],
        "found M.2.0": ["repair", "owls.pnc", "--checksums", "zoo:owls@zoo", *REPAIR],
        "--checksums: expected zoo:NAME@ZOO": ["repair", "owls.pnc", "--checksums", "owls.pnc", *REPAIR],
        "no.pnc: expected a clone package, found No such file": ["repair", "no.pnc", *REPAIR],
    }
    for expected, words in cases.items():
        assert expected in refused(capsys, *words), words
    assert {path: path.read_bytes() for path in (folder / "zoo").rglob("*") if path.is_file()} == before
    assert not (folder / "whole.pnc").exists()
