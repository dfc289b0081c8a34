"""What ``pnc.clone`` says of its work, in warnings, progress and provenance; and where it goes on."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from _tiny import source_and_target
from cloning._made import make
from torch import Tensor, nn

import pnc


def test_a_source_that_never_gives_the_labels_is_reported_with_its_accuracy() -> None:
    source, target = source_and_target()
    source.head.weight.data.zero_()
    source.head.bias.data.copy_(torch.tensor([0, 1, 0, 0, 0]))
    with pytest.warns(
        pnc.PncWarning, match=r"the source never answers owl on their own pictures; .* 50.0 % "
    ) as seen:
        found = make(source=source, target=target)
    assert found.info.provenance["source_accuracy"] == 50
    assert len([one for one in seen if "never answers" in str(one.message)]) == 1
    source.head.bias.data.copy_(torch.tensor([1, 0, 0, 0, 0]))
    with pytest.warns(
        pnc.PncWarning, match=r"never answers owl, kiwi on .* 0.0 % \(are the labels the source's, and"
    ):
        assert make(source=source).info.provenance["source_accuracy"] == 0


class Raw(nn.Module):
    """Filters that are no layer's, and a scale for each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.filters, self.scale = nn.Parameter(torch.ones(9, 9, 1, 1)), nn.Parameter(torch.ones(9, 1, 1))

    def forward(self, h: Tensor) -> Tensor:
        return nn.functional.conv2d(h, self.filters) * self.scale


def test_filters_that_no_mask_reaches_are_reported() -> None:
    source, target = source_and_target()
    shared = nn.Conv2d(9, 9, 1)
    source.blocks[1] = nn.Sequential(source.blocks[1], nn.ConvTranspose2d(9, 9, 1), Raw(), shared, nn.ReLU(), shared)
    line = (
        "the source's blocks: M cannot choose among all filters, it keeps ConvTranspose2d at '1.1', Raw at '1.2', "
        "Conv2d at '1.5', a second time whole"
    )
    with pytest.warns(pnc.PncWarning) as seen:
        make(source=source, target=target, positions=[1])
    assert line in [str(each.message) for each in seen]
    with pytest.warns(pnc.PncWarning) as seen:  # not in the part that is cloned
        source.head.bias.data.copy_(torch.tensor([9, 0, 0, 0, 0]))
        make(source=source, target=target, positions=[2])
    assert not any("cannot choose" in str(each.message) for each in seen)


@pytest.mark.parametrize(("terminal", "progress", "shown"), [(True, None, 1), (False, None, 0), (True, False, 0)])
def test_progress_is_shown_on_a_terminal(
    terminal: bool, progress: bool | None, shown: bool, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    make(progress=progress)
    assert ("localise" in capsys.readouterr().err) == shown


def test_a_clone_that_was_cut_off_goes_on_and_ends_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    expected = make(positions=[2, 1])
    with monkeypatch.context() as patched:
        patched.setattr("pnc.cloning.localize_insert.calibrate", cut_off)
        with pytest.raises(KeyboardInterrupt):
            make(positions=[2, 1], checkpoints=tmp_path / "unfinished")
    assert {path.stem.partition("-")[2] for path in (tmp_path / "unfinished").iterdir()} >= {"R2-localise"}
    found = make(positions=[2, 1], checkpoints=tmp_path / "unfinished")
    assert found._serialise() == expected._serialise()
    assert not list((tmp_path / "unfinished").iterdir())


def test_work_on_other_input_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("pnc.cloning.localize_insert.calibrate", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make(checkpoints=tmp_path)
    left = set(tmp_path.iterdir())
    assert left and make(seed=1, checkpoints=tmp_path)._serialise() == make(seed=1)._serialise()
    assert set(tmp_path.iterdir()) == left


@pytest.mark.parametrize(("positions", "searched"), [(None, {"2", "1"}), ("all", {"2", "1", "0"}), ([0], {"0"})])
def test_unless_told_a_clone_searches_from_the_last_position_on_until_one_is_worse(
    positions: Any, searched: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter((1.0, 2.0, 0.5))
    monkeypatch.setattr("pnc.cloning.localize_insert._Learner.examine", lambda *_: (next(losses), 1.0))
    assert set(make(positions=positions).info.provenance["searched"]) == searched


def test_a_package_says_how_every_position_went() -> None:
    package = make(positions=[2, 1])
    searched = package.info.provenance["searched"]
    assert set(searched) == {"2", "1"}
    chosen = searched[str(package.info.position)]
    assert chosen["loss"] == min(how["loss"] for how in searched.values())
    assert chosen == {key: package.info.provenance[key] for key in ("loss", "accuracy", "delta", "leak")}
