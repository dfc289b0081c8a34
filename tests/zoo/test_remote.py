"""A zoo over plain HTTP or in memory: the same answers, from a cache that checks hashes; and zoos that vanish."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from _tiny import package_for, same_bits
from zoo._served import SPEC, network, owls, pictures, served, two_models

from pnc.base.errors import PncError
from pnc.zoo import Zoo


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    zoo = two_models(folder, samples=pictures(), each=1)
    zoo.add_package("owls", owls())
    return folder


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[str]:
    """A place of its own in memory."""
    yield f"memory://{tmp_path.name}"
    fsspec.filesystem("memory").store.clear()


def blobs(asked: list[str]) -> list[str]:
    return [path for path in asked if path.startswith("/blobs/")]


def test_over_http_everything_reads_the_same(folder: Path, tmp_path: Path) -> None:
    local = Zoo(folder)
    with served(folder) as (address, _, _):
        zoo = Zoo(address, tmp_path)
        assert zoo.models() == local.models() and zoo.packages() == local.packages()
        assert same_bits(zoo.load("birds")[0], local.load("birds")[0])
        assert zoo.signature("pets").content() == local.signature("pets").content()
        assert zoo.package("owls")._serialise() == local.package("owls")._serialise()
        assert zoo.verify() == []


def test_weights_are_fetched_once_and_a_damaged_cache_is_noticed(folder: Path, tmp_path: Path) -> None:
    with served(folder) as (address, asked, _):
        zoo = Zoo(address, tmp_path)
        first, _ = zoo.load("birds")
        zoo.load("birds")
        assert len(blobs(asked)) == 1
        kept = tmp_path / f"sha256-{zoo.show('birds').weights.sha256}"
        kept.write_bytes(kept.read_bytes()[:-1] + b"?")
        assert same_bits(zoo.load("birds")[0], first)
        assert len(blobs(asked)) == 2


def test_http_is_read_only(folder: Path, tmp_path: Path) -> None:
    with served(folder) as (address, _, _):
        with pytest.raises(PncError, match="expected a place to write to, found one that is read over HTTP"):
            Zoo(address, tmp_path).add("fish", network(2), SPEC)
        with pytest.raises(PncError, match="expected a place to write to"):
            Zoo(address, tmp_path).add_package("more", package_for(network(0), network(1), position=1))


@pytest.mark.parametrize("cut", ["/index.json", "/models/birds/config.json", "/blobs/"])
def test_a_download_that_breaks_off_is_one_line_and_leaves_nothing(folder: Path, tmp_path: Path, cut: str) -> None:
    with served(folder, cut=(cut,)) as (address, _, _):
        with pytest.raises(PncError, match=r"expected a place that answers, found .* at") as caught:
            Zoo(address, tmp_path / "cache").load("birds")
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_a_zoo_that_vanishes_half_way_is_one_line_and_changes_nothing(folder: Path, tmp_path: Path) -> None:
    with served(folder) as (address, _, server):
        zoo = Zoo(address, tmp_path)
        zoo.load("birds")
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        server.shutdown()
        server.server_close()
        for ask in (lambda: zoo.load("pets"), zoo.models, zoo.packages, zoo.verify, lambda: zoo.package("owls")):
            with pytest.raises(PncError, match=rf"zoo {address}: expected a place that answers, found") as caught:
                ask()
            assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_clone_revoked_there_is_gone_here(folder: Path, tmp_path: Path) -> None:
    content = (folder / "packages/owls.pnc").read_bytes()
    with served(folder) as (address, _, _):
        zoo = Zoo(address, tmp_path)
        assert list(zoo.packages()) == ["owls"]
        (folder / "packages/owls.pnc").unlink()
        try:
            assert zoo.packages() == {}
            with pytest.raises(PncError, match="it was revoked"):
                zoo.package("owls")
        finally:
            (folder / "packages/owls.pnc").write_bytes(content)


def test_damage_on_the_server_is_named(folder: Path, tmp_path: Path) -> None:
    path = folder / f"blobs/sha256-{Zoo(folder).show('pets').weights.sha256}"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    try:
        with served(folder) as (address, _, _):
            zoo = Zoo(address, tmp_path)
            with pytest.raises(PncError, match="expected content whose SHA-256 is its name"):
                zoo.load("pets")
            assert [line.split(": ")[0] for line in zoo.verify()] == [f"{address}/blobs/{path.name}"]
    finally:
        path.write_bytes(content)


def test_a_zoo_in_any_file_system_can_be_added_to(memory: str, tmp_path: Path) -> None:
    zoo = two_models(memory)
    zoo.add_package("owls", owls())
    again = Zoo(memory, tmp_path)
    assert list(again.models()) == ["birds", "pets"] and again.verify() == []
    assert same_bits(again.load("pets")[0], network(1))
    assert not [path for path in fsspec.filesystem("memory").find("/") if path.endswith(".part")]


@pytest.mark.parametrize("last", range(6))
def test_an_add_that_is_cut_short_leaves_a_zoo_without_the_new_model(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    """Whichever write the place vanishes at, there is no half a model, and adding again mends it."""
    two_models(memory)
    cards, whole = Zoo(memory, tmp_path).models(), type(fsspec.filesystem("memory")).pipe_file
    calls = iter(range(100))

    def vanishing(self: object, path: str, value: bytes, **options: object) -> None:
        if next(calls) >= last:
            raise ConnectionResetError("gone")
        whole(self, path, value, **options)

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "pipe_file", vanishing)
    if last < 5:
        with pytest.raises(PncError, match=r"expected a place that answers, found ConnectionResetError at .*: gone"):
            Zoo(memory, tmp_path).add("fish", network(2), SPEC, samples=pictures(), each=1)
        assert Zoo(memory, tmp_path).models() == cards
    monkeypatch.undo()
    Zoo(memory, tmp_path).add("fish", network(2), SPEC, samples=pictures(), each=1)
    assert set(Zoo(memory, tmp_path).models()) == {*cards, "fish"} and Zoo(memory, tmp_path).verify() == []
