"""The target with its clones in one file of each format: the masked model's logits, without the source."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from _paths import ROOT
from _tiny import built, package_for, pictures, state
from cloned.export._made import BATCHES, cloned_of, cloned_twice, difference, flip_a_bit
from torch import Tensor, nn

import pnc
from pnc.arch import BlockNet
from pnc.base.errors import PncError
from pnc.base.tensors import read_tensors, write_tensors
from pnc.cloned.export import Format
from pnc.cloned.export import _formats as formats
from pnc.cloned.model import ClonedModel, attach

FORMATS: tuple[Format, ...] = get_args(Format)
Read = Callable[[Path], Callable[[Tensor], Tensor]]


@pytest.fixture(scope="module")
def cloned() -> ClonedModel:
    return cloned_twice()


@pytest.fixture(scope="module")
def files(cloned: ClonedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The same model in every format; the package for lynx resizes its features."""
    folder = tmp_path_factory.mktemp("exports")
    before = state(cloned._original[0])
    found = {name: folder / f"zoo.{name}" for name in FORMATS}
    for path in found.values():
        cloned.export(path, pictures(2))
    assert state(cloned._original[0]) == before
    assert sorted(folder.iterdir()) == sorted(found.values())
    yield found


def by_onnxruntime(path: Path) -> Callable[[Tensor], Tensor]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(["logits"], {"pictures": x.numpy()})[0])


READERS: dict[str, Read] = {
    "safetensors": pnc.load_exported,
    "pt2": lambda path: torch.export.load(path).module(),
    "onnx": by_onnxruntime,
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_masked_models_logits_at_any_batch_size(
    name: Format, files: dict[str, Path], cloned: ClonedModel
) -> None:
    run = READERS[name](files[name])
    for batch in BATCHES:
        x = pictures(batch, seed=batch)
        with torch.no_grad():
            assert difference(run(x), cloned(x)) < 1e-5, batch


def facts_in(name: str, path: Path) -> dict[str, Any]:
    if name == "safetensors":
        return dict(pnc.load_exported(path).facts)
    if name == "pt2":
        extra = {"pnc.json": ""}
        torch.export.load(path, extra_files=extra)
        return json.loads(extra["pnc.json"])
    import onnx

    return json.loads({each.key: each.value for each in onnx.load(path).metadata_props}["pnc"])


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_what_is_in_it(name: Format, files: dict[str, Path], cloned: ClonedModel) -> None:
    facts = facts_in(name, files[name])
    assert tuple(facts["classes"]) == cloned.classes == (*(f"animal {i}" for i in range(4)), "owl", "kiwi", "lynx")
    assert facts["input"] == {"shape": ["N", 3, 8, 8], "dtype": "float32", "range": [0, 1]}
    assert facts["preprocessing"]["std"] == pytest.approx([0.3, 0.2, 0.25])
    assert facts["target"] == cloned.packages[0].info.target
    assert [each["source"] for each in facts["packages"]] == [each.info.source for each in cloned.packages]
    assert facts["packages"][1]["provenance"] == {"seed": 1}


def test_onnx_takes_any_number_of_pictures_called_pictures(files: dict[str, Path]) -> None:
    import onnx

    graph = onnx.load(files["onnx"]).graph
    (entry,), (leaving,) = graph.input, graph.output
    assert (entry.name, leaving.name) == ("pictures", "logits")
    sizes = [size.dim_value or size.dim_param for size in entry.type.tensor_type.shape.dim]
    assert isinstance(sizes[0], str) and sizes[1:] == [3, 8, 8]


ALONE = """
import sys
import torch, pnc
model = pnc.load_exported(sys.argv[1])
assert not {"torchvision", "pnc.arch.lenet", "pnc.arch.resnet"} & set(sys.modules)
assert not model.training and not model.train().training
print(model(torch.full((3, 3, 8, 8), 0.5)).tolist())
"""


def test_the_safetensors_file_is_all_that_a_fresh_process_needs(files: dict[str, Path], cloned: ClonedModel) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(files["safetensors"])], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    x = torch.full((3, 3, 8, 8), 0.5)
    with torch.no_grad():
        assert difference(torch.tensor(json.loads(done.stdout)), cloned(x)) < 1e-5


def test_a_loaded_model_is_frozen_moves_and_passes_gradients(files: dict[str, Path], cloned: ClonedModel) -> None:
    loaded = pnc.load_exported(files["safetensors"])
    assert loaded.classes == cloned.classes
    assert not list(loaded.parameters()) and {buffer.dtype for buffer in loaded.buffers()} <= {
        torch.float32,
        torch.int64,
    }
    x = pictures(3)
    leaves = [x.clone().requires_grad_() for _ in range(2)]
    for model, leaf in zip((loaded, cloned), leaves, strict=True):
        model(leaf).square().sum().backward()
    torch.testing.assert_close(leaves[0].grad, leaves[1].grad, rtol=1e-3, atol=1e-3)
    with torch.no_grad():
        assert loaded.double()(x.double()).dtype == torch.float64
        assert difference(loaded(x.double()).float(), cloned(x)) < 1e-5


def test_pictures_of_another_shape_are_refused(files: dict[str, Path]) -> None:
    with pytest.raises(
        PncError, match=r"pictures for the exported model: expected .'N', 3, 8, 8., found .2, 3, 9, 9."
    ):
        pnc.load_exported(files["safetensors"])(pictures(2, 9))


@pytest.mark.parametrize("place", [0.02, 0.5, 0.98])
def test_a_damaged_bit_is_noticed(place: float, files: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(files["safetensors"].read_bytes())
    flip_a_bit(path, place)
    with pytest.raises(PncError, match="expected a whole safetensors file, found a damaged one"):
        pnc.load_exported(path)


@pytest.mark.parametrize(
    "name", ["aten.from_file.default", "aten.relu_.default", "os.system", "aten.nothing", "add_"]
)
def test_a_file_can_call_nothing_but_pytorchs_core_operations(
    name: str, files: dict[str, Path], tmp_path: Path
) -> None:
    tensors, notes = read_tensors(files["safetensors"])
    notes["program"]["steps"][0][0] = name
    write_tensors(tmp_path / "made.safetensors", tensors, notes)
    with pytest.raises(PncError, match=f"found an operation: expected one of PyTorch's core .* found '{name}'"):
        pnc.load_exported(tmp_path / "made.safetensors")


def test_a_listing_that_looks_ahead_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    tensors, notes = read_tensors(files["safetensors"])
    notes["program"]["steps"][0][1] = [{"value": 10**6}]
    write_tensors(tmp_path / "made.safetensors", tensors, notes)
    with pytest.raises(PncError, match="found a listing: expected values"):
        pnc.load_exported(tmp_path / "made.safetensors")


def test_the_same_model_gives_the_same_bytes(files: dict[str, Path], cloned: ClonedModel, tmp_path: Path) -> None:
    cloned.export(tmp_path / "again", pictures(1), format="safetensors")
    assert (tmp_path / "again").read_bytes() == files["safetensors"].read_bytes()


def test_a_model_that_answers_otherwise_is_not_written(
    cloned: ClonedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sliced tail whose last layer is a little off stands for whatever may go wrong on the way."""
    path = tmp_path / "zoo.safetensors"
    path.write_text("an older file")
    graph = pytest.importorskip("pnc.cloned.export._graph")
    right = graph.slice_clone

    def wrong(*arguments: Any) -> nn.Module:
        made = right(*arguments)
        made.rows.bias = nn.Parameter(made.rows.bias + 1e-3, requires_grad=False)
        return made

    monkeypatch.setattr(graph, "slice_clone", wrong)
    with pytest.raises(PncError, match=r"file in format 'safetensors': expected the masked .* 1e-05, found a diff"):
        cloned.export(path, pictures(2))
    assert [each.name for each in tmp_path.iterdir()] == ["zoo.safetensors"]
    assert path.read_text() == "an older file"


def test_an_unknown_format_is_refused_with_the_known_ones(cloned: ClonedModel, tmp_path: Path) -> None:
    with pytest.raises(PncError, match="format to export in: expected one of safetensors, pt2, onnx, found 'h5'"):
        cloned.export(tmp_path / "zoo.h5", pictures(2))
    assert not list(tmp_path.iterdir())


def test_a_missing_extra_is_one_line(cloned: ClonedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PncError) as caught:
        cloned.export(tmp_path / "zoo.onnx", pictures(2))
    assert str(caught.value) == (
        "libraries of the format 'onnx': expected those of pip install 'pnc[export]', found no module 'onnxruntime'"
    )


class Sorting(nn.Module):
    """Sorts its features by a kernel that only PyTorch's full operator set has."""

    def forward(self, h: Tensor) -> Tensor:
        return torch.cummax(h, dim=1).values


def test_what_one_format_cannot_say_is_refused_with_the_names_of_the_others(tmp_path: Path) -> None:
    cloned = cloned_twice()
    target = cloned._original[0]
    assert isinstance(target, BlockNet) and isinstance(target.blocks[2], nn.Sequential)
    source = cloned._attached[0].source
    assert isinstance(source, BlockNet)
    target.blocks[2].append(Sorting())
    changed = attach(target, source, package_for(source, target, 1))
    with pytest.raises(PncError, match=r"^format 'safetensors': expected .*\(format='pt2' and format='onnx' are the"):
        changed.export(tmp_path / "zoo.safetensors", pictures(2))
    changed.export(tmp_path / "zoo.pt2", pictures(2))
    assert formats.WRITERS["pt2"].read(tmp_path / "zoo.pt2")(pictures(3)).shape == (3, 6)


@pytest.mark.parametrize("arch", ["resnetc20", "shufflenetv2"])
def test_sums_shuffles_and_splits_of_sliced_tails_go_into_onnx(arch: str, tmp_path: Path) -> None:
    source, target = built(arch, "bird", 5, 0), built("lenet5", "animal", 4, 1)
    cloned = cloned_of(source, target, 1, pictures(2, 32), "bn_mean")
    cloned.export(tmp_path / "zoo.onnx", pictures(2, 32))
    run = by_onnxruntime(tmp_path / "zoo.onnx")
    for batch in BATCHES:
        x = pictures(batch, 32, seed=batch)
        with torch.no_grad():
            assert difference(run(x), cloned(x)) < 1e-5, batch
