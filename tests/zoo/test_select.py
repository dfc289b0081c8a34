"""Which source to clone from: Sim of local models, ranked, with what pairs that have nothing to say would get."""

from pathlib import Path

import pytest
import torch
from _digits import NEW, OLD, digits, trained
from _tiny import state
from zoo._served import SPEC, network, pictures, served, two_models

from pnc.arch import NetworkSpec, build
from pnc.base.errors import PncError
from pnc.cloning.local.neighbourhood import Neighbourhood
from pnc.cloning.local.similarity import similarity
from pnc.zoo import Signature, Zoo, select_source, sign

FEW = Neighbourhood(masks=30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    two_models(folder, samples=pictures(4), each=2)
    return folder


def test_a_signature_comes_back_and_holds_few_pictures_of_each_class(tmp_path: Path) -> None:
    made = sign(network(0), SPEC, pictures(4), each=2, neighbourhood=FEW)
    (tmp_path / "signature").write_bytes(made.content())
    again = Signature.load(tmp_path / "signature")
    assert torch.equal(again.models.theta, made.models.theta) and again.images.sha256() == made.images.sha256()
    assert (again.spec, again.neighbourhood, again.seed) == (SPEC, FEW, 0)
    assert again.images.labels.bincount().tolist() == [2, 2, 2]
    assert again.content() == made.content()
    part = again.of_classes(["owl"])
    assert part.images.labels.tolist() == [2, 2] and torch.equal(part.models.theta, again.models.theta[-2:])


def test_local_models_of_the_same_network_around_a_signature_are_its_own(folder: Path) -> None:
    signature = Zoo(folder).signature("birds")
    assert similarity(signature.models, signature.around(network(0))) == pytest.approx(1, abs=1e-6)


def test_two_sources_are_told_apart_without_their_weights_and_nothing_changes(folder: Path, tmp_path: Path) -> None:
    target = network(1)
    before = state(target)
    with served(folder) as (address, asked, _):
        best, other = select_source(Zoo(address, tmp_path), target, ["owl", "cat"], permutations=10)
        assert not [path for path in asked if path.startswith("/blobs/")]
    assert (best.name, other.name, best.pictures) == ("pets", "birds", 4)
    assert best.similarity["optimal"] == pytest.approx(1, abs=1e-6) == best.similarity["greedy"]
    assert other.similarity["optimal"] < 0.99
    assert best.null["optimal"].mean < 1 and best.null["optimal"].count == 10 and best.untrained["optimal"] < 0.99
    assert state(target) == before


def test_with_samples_the_sources_are_asked_about_these(folder: Path) -> None:
    found = select_source(Zoo(folder), network(1), ["owl"], samples=pictures(5, seed=9), permutations=3)
    assert [each.pictures for each in found] == [5, 5] and found[0].name == "pets"


def test_an_untrained_source_shows_by_the_null_and_not_by_sim() -> None:
    """Real digits: constants of an untrained network make a high Sim, and it is as high for exchanged pictures."""
    source, spec = trained(NEW)
    signatures = {
        "trained": sign(source, spec, digits("train", NEW), each=6, neighbourhood=FEW),
        "untrained": sign(build(spec, 5), spec, digits("train", NEW), each=6, neighbourhood=FEW),
    }
    found = {each.name: each for each in select_source(signatures, trained(OLD)[0], ["4", "6"], permutations=20)}
    assert found["trained"].null["optimal"].reach == 0
    assert found["trained"].margin("optimal") > 5 * found["untrained"].margin("optimal")


def test_what_cannot_be_compared_is_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    zoo = Zoo(folder)
    for classes in (["fish"], ["owl", "fish"]):
        with pytest.raises(PncError, match=r"sources: expected one that knows .*fish, found 2 that do not"):
            select_source(zoo, network(1), classes)
    grey = NetworkSpec("lenet5", ("cat",), (0.5,), (0.3,), width=0.25)
    with pytest.raises(PncError, match="pictures of the sources: expected a kind that the target takes"):
        select_source(zoo, build(grey), ["owl"])
    with pytest.raises(PncError, match="by: expected one of greedy, optimal, found 'none'"):
        select_source(zoo, network(1), ["owl"], by="none")
    with pytest.raises(PncError, match="samples beside signatures: expected a zoo"):
        select_source({"birds": zoo.signature("birds")}, network(1), ["owl"], samples=pictures())
    bare = Zoo(tmp_path)
    bare.add("birds", network(0), SPEC)
    with pytest.raises(PncError, match="signatures of the sources: expected at least one"):
        select_source(bare, network(1), ["owl"])
    with pytest.raises(PncError, match=r"signature of model 'birds': expected one \(add the model with samples\)"):
        bare.signature("birds")
    with pytest.raises(PncError, match="labels of the signature's pictures: expected outputs 0…0, found 2"):
        sign(build(grey), grey, pictures())
