"""``pnc.clone`` in a folder of its own, where an interrupted run goes on, with what became of every position R."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

import pnc
from pnc.arch import BlockNet, fingerprint
from pnc.base.errors import bad
from pnc.base.files import read_json, write_record
from pnc.base.images import Images
from pnc.base.train import Checkpoint
from pnc.cloning._request import SettingsLike, read_settings
from pnc.cloning.clone import _source_accuracy, _warn_of_leak, _warn_of_unmasked, make_task
from pnc.cloning.local.local_models import LocalModels, fit_local_models
from pnc.cloning.localize_insert import check_search
from pnc.cloning.package import ClonePackage
from pnc.cloning.positions import usable_positions
from pnc.cloning.search import converged_losses, search
from pnc.cloning.selection import best_position
from pnc.cloning.settings import CloneSettings
from pnc.cloning.task import CloneTask
from pnc.commands._package import COLUMNS


def learn(
    source: BlockNet,
    target: BlockNet,
    samples: Images,
    classes: dict[int, str],
    *,
    rehearsal: Images | None,
    settings: SettingsLike,
    positions: Sequence[int] | None,
    seed: int,
    progress: bool,
    folder: Path,
) -> ClonePackage:
    """What ``pnc.clone`` returns for the same arguments, to the bit, with ``positions`` in its provenance.

    What was learned so far is kept in ``folder``, and the next call goes on from there. Raises PncError as
    ``pnc.clone``, and for a ``folder`` of another clone.
    """
    chosen = read_settings(settings, rehearsal is not None)
    task, names = make_task(source, target, samples, classes, rehearsal=rehearsal, settings=chosen, seed=seed)
    searched = usable_positions(task) if positions is None else tuple(positions)
    check_search(task, chosen, searched)
    _warn_of_unmasked(task, searched)
    right = _source_accuracy(task, names)
    _begin(folder, _request(task, chosen, names, searched, seed))
    local_models = _local_models(task, chosen, seed, progress, folder / "local_models.safetensors")
    checkpoint = Checkpoint(folder / "search.pt")
    packages = search(
        task, local_models, chosen, names, positions=searched, seed=seed, checkpoint=checkpoint, progress=progress
    )
    best = packages[best_position(converged_losses(packages))]
    every = {str(R): {key: each.info.provenance[key] for key in COLUMNS} for R, each in packages.items()}
    provenance = {**best.info.provenance, "source_accuracy": right, "positions": every}
    _warn_of_leak(provenance["leak"], names)
    return replace(best, info=replace(best.info, provenance=provenance))


def _local_models(task: CloneTask, settings: CloneSettings, seed: int, progress: bool, file: Path) -> LocalModels:
    if not file.is_file():
        how, ridge = settings.neighbourhood, settings.ridge
        fit_local_models(task.source, task.pixels, how, seed=seed, ridge=ridge, progress=progress).save(file)
    return LocalModels.load(file).to(task.samples.pixels.device)


def _request(
    task: CloneTask, settings: CloneSettings, names: Sequence[str], positions: Sequence[int], seed: int
) -> dict[str, Any]:
    """All that a clone depends on, as plain values."""
    old = [part.sha256() for part in (task.rehearsal, task.rehearsal_held_out) if part is not None]
    wanted = {
        "source": fingerprint(task.source),
        "target": fingerprint(task.target),
        "classes": dict(zip(map(str, task.classes), names, strict=True)),
        "samples": [task.samples.sha256(), task.held_out.sha256()],
        "rehearsal": old,
        "settings": asdict(settings),
        "positions": list(positions),
        "seed": seed,
        "versions": [pnc.__version__, str(torch.__version__)],
    }
    return json.loads(json.dumps(wanted))


def _begin(folder: Path, request: dict[str, Any]) -> None:
    """Say in ``folder`` what is learned there. Raises PncError if that was something else."""
    note = folder / "request.json"
    if not note.is_file():
        write_record(note, request)
        return
    begun = read_json(note)
    if others := ", ".join(key for key in request if begun.get(key) != request[key]):
        raise bad(str(folder), expected="an unfinished run of this very clone", found=f"one with other {others}")
    print(f"pnc: going on from {folder}", file=sys.stderr)
