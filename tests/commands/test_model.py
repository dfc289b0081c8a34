"""From a package to a model and back: attach, evaluate, export, detach, inspect."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from _commands import ANIMALS, BIRDS, clone_words, make_files, named_images, refused, run, write_pictures
from _tiny import package_for, pictures

import pnc
from pnc.arch import save_network
from pnc.base.evaluate import joint, scores
from pnc.base.images import Images
from pnc.commands._accuracies import report
from pnc.commands._model import read_model
from pnc.commands._package import digest

CLONED = ("owl", "brown kiwi")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of ``make_files``, a package that ``pnc clone`` learned from them, and one made by hand."""
    folder = make_files(tmp_path_factory.mktemp("made"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert pnc.commands.main(clone_words("owls.pnc", "--quiet")) == 0
    source, target = (pnc.load_network(folder / f"{name}.safetensors")[0] for name in ("birds", "animals"))
    package_for(source, target, 1, classes=(0,), names=("raven",)).save(folder / "raven.pnc")
    return folder


@pytest.fixture
def files(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def zoo(files: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Both packages attached."""
    run(capsys, *ATTACH, "owls.pnc", "raven.pnc")
    return files / "zoo.json"


NETWORKS = ["--target", "animals.safetensors", "--source", "birds.safetensors"]
ATTACH = ["attach", *NETWORKS, "--out", "zoo.json", "--package"]


def by_hand() -> pnc.ClonedModel:
    source, target = (pnc.load_network(f"{name}.safetensors")[0] for name in ("birds", "animals"))
    return pnc.attach(pnc.attach(target, source, "owls.pnc"), source, "raven.pnc")


def test_from_clone_to_detach(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: digest(path) for path in files.glob("*.safetensors")}
    assert "owl (output 2), brown kiwi (output 1)" in run(capsys, "inspect", "owls.pnc")
    assert "owl, brown kiwi (owls.pnc, R = " in run(capsys, *ATTACH, "owls.pnc")
    told = run(capsys, "evaluate", "zoo.json", "animals", "birds")
    run(capsys, "export", "zoo.json", "zoo.safetensors")
    shutil.move("birds/kiwi", "birds/brown kiwi")  # the exported file knows the new name alone
    assert run(capsys, "evaluate", "zoo.safetensors", "animals", "birds") == told
    assert "then nothing" in run(capsys, "detach", "zoo.json", "owl")
    assert read_model(Path("zoo.json")).running(pictures(2)).shape == (2, 2)
    assert {path.name: digest(path) for path in files.glob("[ab]*.safetensors")} == before


def test_the_attached_model_is_pnc_attachs(zoo: Path) -> None:
    model = read_model(zoo)
    assert model.classes == (*ANIMALS, *CLONED, "raven") == by_hand().classes
    assert torch.equal(model.running(pictures(3)), by_hand()(pictures(3)))


def test_sources_come_in_any_order(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*ATTACH[:3], "--source", "animals.safetensors", "birds.safetensors", *ATTACH[5:], "owls.pnc"]
    run(capsys, *words)
    assert [clone.source.names for clone in read_model(Path("zoo.json")).clones] == [BIRDS]


def test_the_file_and_what_it_names_can_be_moved_together(
    zoo: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = run(capsys, "evaluate", "here/zoo.json", "here/animals")
    Path("here").rename("there")
    assert run(capsys, "evaluate", "there/zoo.json", "there/animals") == told
    run(capsys, "detach", "there/zoo.json", "raven", "--out", "elsewhere/zoo.json")
    assert read_model(Path("elsewhere/zoo.json")).classes == (*ANIMALS, *CLONED)


def test_a_changed_file_is_named(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, _ = pnc.load_network("birds.safetensors")
    save_network("birds.safetensors", source, pnc.load_network("animals.safetensors")[1])
    line = refused(capsys, "evaluate", "zoo.json", "animals")
    assert line.startswith("SHA-256 of birds.safetensors: expected ") and "as it was attached, found " in line
    Path("birds.safetensors").unlink()
    line = refused(capsys, "export", "zoo.json", "zoo.pt2")
    assert line == "birds.safetensors: expected the file that was attached, found no file"


WRONG: dict[str, tuple[list[str], str]] = {
    "swapped": (
        ["attach", "--target", "birds.safetensors", "--source", "animals.safetensors", "--package", "raven.pnc"],
        "(are target and source swapped?)",
    ),
    "a package twice": ([*ATTACH, "owls.pnc", "owls.pnc"], "classes to attach: expected names the target does not"),
    "no package": ([*ATTACH, "no.pnc"], "no.pnc: expected a clone package, found No such file"),
    "another file": ([*ATTACH, "zoo.json"], "zoo.json: expected a whole clone package, found a damaged file"),
    "another network": ([*ATTACH[:4], "x.json", *ATTACH[5:], "owls.pnc"], "network 'x.json': expected a file that"),
    "no model": (["evaluate", "x.json", "birds"], "x.json: expected a JSON file, found no file"),
    "another JSON": (["evaluate", "other.json", "birds"], "other.json: expected a file that pnc attach wrote"),
    "a damaged model": (["detach", "damaged.json"], "damaged.json: expected a whole JSON file, found one whose"),
    "no export": (["evaluate", "animals.safetensors", "birds"], "animals.safetensors: expected an export"),
    "no pictures": (["evaluate", "zoo.json", "here"], "here: expected a folder with a folder for each class"),
    "strange pictures": (
        ["evaluate", "zoo.json", "."],
        ".: expected pictures of a class that is asked for, found no",
    ),
    "no format": (["export", "zoo.json", "zoo.bin"], "format to export in: expected one of safetensors, pt2, onnx"),
    "no clone": (["detach", "zoo.json", "eagle"], "package to detach: expected one of [('owl', 'brown kiwi'), ('rav"),
    "two drawings": (["inspect", "owls.pnc", "raven.pnc", "--svg", "x.svg"], "--svg: expected a single package, fo"),
    "no picture of it": (["inspect", "animals.safetensors"], "animals.safetensors: expected a whole clone package"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_one_line(case: str, zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("other.json").write_text("{}")
    Path("damaged.json").write_text(zoo.read_text().replace("raven", "robin"))
    words, line = WRONG[case]
    out = ["--out", "out.json"] if words[0] == "attach" and "--out" not in words else []
    assert line in refused(capsys, *words, *out)
    assert not Path("out.json").exists()


@pytest.mark.parametrize("how", ["name", "hash", "path"])
def test_one_package_is_taken_out_and_the_other_stays(
    how: str, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    which = {"name": "brown kiwi", "hash": digest(Path("owls.pnc")), "path": "owls.pnc"}[how]
    before = zoo.read_bytes()
    assert run(capsys, "detach", "zoo.json", which, "--out", "left.json").endswith("then raven\n")
    assert zoo.read_bytes() == before
    expected = by_hand().detach("owl")
    assert torch.equal(read_model(Path("left.json")).running(pictures(3)), expected(pictures(3)))


def test_all_are_taken_out_and_there_is_nothing_more_to_take_out_or_export(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "detach", "zoo.json")
    target, _ = pnc.load_network("animals.safetensors")
    assert torch.equal(read_model(zoo).running(pictures(3)), target(pictures(3)))
    for words in (["detach", "zoo.json"], ["export", "zoo.json", "zoo.pt2"]):
        assert refused(capsys, *words).endswith("expected at least one clone, found the target alone")


@pytest.mark.parametrize("name", ["zoo.pt2", "zoo.safetensors"])
def test_an_export_answers_as_the_model_does(name: str, zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "export", "zoo.json", name)
    assert f"SHA-256 {digest(Path(name))}" in out
    assert "pictures [N, 3, 8, 8] in [0, 1] → logits [N, 5]" in out
    read = pnc.load_exported(name) if name.endswith("safetensors") else torch.export.load(name).module()
    assert torch.allclose(read(pictures(4)), by_hand()(pictures(4)), atol=1e-4)


def test_evaluate_says_what_the_one_evaluation_says(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "evaluate", "zoo.json", "animals", "birds")
    old, all_birds = named_images(ANIMALS, 8, 2), named_images(BIRDS, 8, 1)
    new = all_birds.relabelled([2, 1])
    found = {line.split()[0]: line.split() for line in out.splitlines()}
    model = read_model(zoo).running
    expected = scores(joint(model, 2), old, Images(new.pixels, new.labels, (*CLONED,)))
    assert found["old"][1:] == ["16", f"{expected['ori']:.1f}"]
    assert f"pictures {expected['leak']:.1f} % are called a new one" in out
    assert found["new"][1] == "24"  # the crows are the other package's, which calls them ravens


def test_classes_that_the_model_lacks_are_named(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pictures(Path("animals"), named_images(["bear"], 2, 5))
    out = run(capsys, "evaluate", "zoo.json", "animals")
    assert out.endswith("passed over, no class of the model: bear\n")
    assert "new" not in out


def test_the_report_weighs_pictures_within_and_classes_across() -> None:
    labels, answers = torch.tensor([0, 0, 0, 1, 2, 2]), torch.tensor([0, 0, 2, 1, 2, 0])
    lines = [line.split() for line in report(("a", "b", "c"), 2, answers, labels).splitlines()]
    assert lines[1:7] == [
        ["a", "3", "66.7"],
        ["b", "1", "100.0"],
        ["+", "c", "2", "50.0"],
        ["old", "4", "75.0"],
        ["new", "2", "50.0"],
        ["all", "6", "66.7"],
    ]
    assert lines[7][-7:] == ["25.0", "%", "are", "called", "a", "new", "one"]


def test_inspect_says_how_every_position_did(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "inspect", "owls.pnc")
    package = pnc.ClonePackage.load("owls.pnc")
    for R, each in package.info.provenance["searched"].items():
        chosen = f"{R} *" if int(R) == package.info.position else R
        assert f"  {chosen}" in out and f"{each['loss']:.4f}" in out and f"{each['delta']:+.3f}" in out
    for fact in (digest(Path("owls.pnc")), package.info.source, package.info.target):
        assert fact in out
    kept = sum(int(mask.sum()) for mask in package.masks.values())
    assert out.split("  all")[1].split()[0] == str(kept)
    assert f"{package.nbytes:,} bytes" in out


def test_the_drawing_holds_every_position_and_every_layer(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "inspect", "owls.pnc", "--svg", "owls.svg")
    root = ElementTree.parse("owls.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]
    package = pnc.ClonePackage.load("owls.pnc")
    for R, each in package.info.provenance["searched"].items():
        assert f"{100 * each['accuracy']:.1f} %, loss {each['loss']:.4f}" == texts[texts.index(f"R = {R}") + 1]
    assert set(package.masks) <= set(texts)


def test_a_package_of_older_make_has_its_own_position_alone(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "inspect", "raven.pnc", "--svg", "raven.svg")
    assert out.split("leak %\n")[1].splitlines()[0].split() == ["1", "*", *"––––"]
    assert "R = 1" in Path("raven.svg").read_text()


def test_the_file_is_plain_json(zoo: Path) -> None:
    record = json.loads(zoo.read_text())
    assert record["target"] == "animals.safetensors"
    assert set(record["files"]) == {"animals.safetensors", "birds.safetensors", "owls.pnc", "raven.pnc"}
