"""A zoo in a folder: what is added comes back, and whatever does not fit is named."""

import json
from pathlib import Path

import pytest
import yaml
from _tiny import same_bits, state
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo._served import SPEC, network, owls, pictures, two_models

from pnc.arch import fingerprint
from pnc.base.errors import PncError
from pnc.zoo import Zoo
from pnc.zoo._names import check_name


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    zoo = two_models(folder, samples=pictures(), each=2)
    zoo.add_package("owls", owls())
    return folder


@pytest.fixture
def folder(shared: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    for name, content in files(shared).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_a_network_comes_back_bit_for_bit_and_the_one_added_is_untouched(tmp_path: Path) -> None:
    own = network(3)
    before = state(own)
    card = Zoo(tmp_path).add("birds", own, SPEC, samples=pictures(), each=1)
    assert state(own) == before
    again, spec = Zoo(tmp_path).load("birds")
    assert same_bits(own, again) and spec == SPEC
    assert card == Zoo(tmp_path).show("birds") and card.fingerprint == fingerprint(own)


def test_weights_are_named_by_their_content_and_kept_once(tmp_path: Path) -> None:
    zoo = Zoo(tmp_path)
    one, two = (zoo.add(name, network(0), SPEC) for name in ("one", "two"))
    assert one.weights == two.weights
    assert [path.name for path in (tmp_path / "blobs").iterdir()] == [f"sha256-{one.weights.sha256}"]


def test_lists_and_finds_what_is_there(shared: Path) -> None:
    zoo = Zoo(shared)
    assert list(zoo.models()) == ["birds", "pets"] and list(zoo.packages()) == ["owls"]
    assert zoo.packages()["owls"].names == ("owl",)
    assert zoo.named(fingerprint(network(1))) == "pets"
    assert zoo.package("owls").info.source == zoo.show("birds").fingerprint
    assert zoo.damage("owls").tensors == ()
    assert zoo.verify() == []


def test_the_card_is_one_that_hugging_face_reads(shared: Path) -> None:
    _, front, text = (shared / "models/birds/README.md").read_text().split("---\n", 2)
    facts = yaml.safe_load(front)
    assert facts["pipeline_tag"] == "image-classification" and facts["library_name"] == "pnc"
    assert facts["model-index"][0]["results"][0]["metrics"] == [{"type": "accuracy", "value": 91.5}]
    card = Zoo(shared).show("birds")
    for said in ("lenet5, width 0.25", "cat, dog, owl", "32×32, 3 channels", "91.5 % on test", card.weights.sha256):
        assert said in text
    assert json.loads((shared / "models/birds/config.json").read_text())["id2label"]["2"] == "owl"


def test_the_same_again_changes_nothing_and_a_taken_name_is_refused(folder: Path) -> None:
    before, zoo = files(folder), Zoo(folder)
    zoo.add("birds", network(0), SPEC, accuracy=91.5, dataset="test pictures", samples=pictures(), each=2)
    zoo.add_package("owls", owls())
    assert files(folder) == before
    for name in ("birds", "Birds"):
        with pytest.raises(PncError, match=r"name of a new model: expected one that .* found 'birds'"):
            zoo.add(name, network(2), SPEC)
    with pytest.raises(PncError, match="name of a new package"):
        zoo.add_package("owls", owls(0))
    assert files(folder) == before


def test_a_clone_is_revoked_by_deleting_its_file(folder: Path) -> None:
    (folder / "packages/owls.pnc").unlink()
    zoo = Zoo(folder)
    assert zoo.packages() == {} and zoo.verify() == []
    with pytest.raises(PncError, match=r"package 'owls' of .*: expected its file, found none: it was revoked"):
        zoo.package("owls")
    zoo.add_package("owls", owls(0))
    assert list(zoo.packages()) == ["owls"] and zoo.verify() == []


def test_unknown_names_are_answered_with_the_known_ones(shared: Path) -> None:
    zoo = Zoo(shared)
    for ask in (zoo.show, zoo.load, zoo.signature):
        with pytest.raises(PncError, match=r"model of the zoo .*: expected one of birds, pets, found 'fish'"):
            ask("fish")
    with pytest.raises(PncError, match=r"package of the zoo .*: expected one of owls, found 'fish'"):
        zoo.package("fish")
    with pytest.raises(PncError, match=r"expected one with the SHA-256 00, found none"):
        zoo.named("00")


def test_no_zoo_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(PncError, match=r"zoo .*nowhere: expected an index\.json, found none"):
        Zoo(tmp_path / "nowhere").models()
    with pytest.raises(PncError, match="location of a zoo 'nope://x': expected a folder, or an address"):
        Zoo("nope://x")
    (tmp_path / "letter.txt").write_text("Dear zoo")
    with pytest.raises(PncError, match=r"expected an index\.json, found none"):  # somebody's folder is not filled
        Zoo(tmp_path).add("birds", network(0), SPEC)
    assert files(tmp_path).keys() - {".lock"} == {"letter.txt"}


@settings(max_examples=25)
@given(st.data())
def test_every_damaged_file_is_named_and_nothing_damaged_is_loaded(
    shared: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder, content = tmp_path_factory.mktemp("damaged"), files(shared)
    content.pop(".lock", None)
    name = data.draw(st.sampled_from(sorted(content)))
    place = data.draw(st.integers(0, len(content[name]) - 1))
    content[name] = bytes(byte ^ (0x20 if at == place else 0) for at, byte in enumerate(content[name]))
    for path, each in content.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(each)
    zoo = Zoo(folder)
    if name == "index.json":
        with pytest.raises(PncError, match=r"index\.json: expected the index of a zoo"):
            zoo.verify()
        return
    lines = zoo.verify()
    assert lines and all(name in line and "\n" not in line for line in lines)
    loads = {"birds": zoo.load, "pets": zoo.load, "owls": zoo.package}
    broken = [who for who, load in loads.items() if not _works(load, who)]
    weights = {who: zoo.show(who).weights.sha256 for who in ("birds", "pets") if _works(zoo.show, who)}
    guilty = [who for who in loads if f"/{who}/config" in f"/{name}" or name == f"packages/{who}.pnc"]
    guilty += [who for who, sha256 in weights.items() if name == f"blobs/sha256-{sha256}"]
    assert sorted(broken) == sorted(guilty)


def _works(load: object, name: str) -> bool:
    try:
        load(name)  # type: ignore[operator]
    except PncError:
        return False
    return True


def test_content_that_is_not_what_its_name_says_is_refused(folder: Path) -> None:
    zoo = Zoo(folder)
    birds, pets = (folder / f"blobs/sha256-{zoo.show(name).weights.sha256}" for name in ("birds", "pets"))
    birds.write_bytes(pets.read_bytes())  # a whole network, but another
    with pytest.raises(PncError, match=r"blobs/sha256-\w+: expected content whose SHA-256 is its name, found \d+ by"):
        zoo.load("birds")
    zoo.add("birds", network(0), SPEC, accuracy=91.5, dataset="test pictures", samples=pictures(), each=2)
    assert zoo.verify() == []  # adding the same again mends it


def test_a_damaged_package_is_placed_and_replaced_by_the_repaired_one(folder: Path) -> None:
    path, zoo = folder / "packages/owls.pnc", Zoo(folder)
    content = bytearray(path.read_bytes())
    header = json.loads(content[8 : (start := 8 + int.from_bytes(content[:8], "little"))])
    content[start + header["F_c.weight"]["data_offsets"][0]] ^= 1
    path.write_bytes(content)
    assert zoo.damage("owls").tensors == ("F_c.weight",)
    assert [line.split(":")[0] for line in zoo.verify()] == [str(path)]
    zoo.add_package("owls", owls())
    assert zoo.verify() == [] and zoo.damage("owls").tensors == ()


plain = st.sampled_from("azAZ09")
good = st.builds("{}{}{}".format, plain, st.text("azAZ09._-", max_size=20), plain)


@given(good)
def test_plain_names_are_taken(name: str) -> None:
    if ".." not in name and "--" not in name:
        assert check_name(name, "model") == name


@given(st.text(max_size=12))
def test_names_that_leave_the_folder_or_the_address_are_refused(name: str) -> None:
    try:
        check_name(name, "model")
    except PncError as error:
        assert "\n" not in str(error)
    else:
        assert name.isascii() and not set(name) & set("/\\:?#%&*\"'<>| \n\t") and name[0].isalnum()
        assert Path("models", name).resolve().parent == Path("models").resolve()


def test_bad_names_and_accuracies_write_nothing(tmp_path: Path) -> None:
    for name in ("", ".", "..", "../x", "a/b", "-x", "x-", "a..b", "a--b", "x" * 97, "ü"):
        with pytest.raises(PncError, match="name of a model: expected at most 96 letters"):
            Zoo(tmp_path / "new").add(name, network(0), SPEC)
    with pytest.raises(PncError, match=r"accuracy of model 'x': expected per cent, 0…100, found 0?\.?101"):
        Zoo(tmp_path / "new").add("x", network(0), SPEC, accuracy=101)
    assert not (tmp_path / "new").exists()
