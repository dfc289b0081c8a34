"""One cloning experiment: a pair of networks, a task, a regime and a seed, with what a clone is learned from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.work.scratch import checkpoint
from bench.work.store import DEVICE, Samples, Store, class_names
from bench.work.suite import TaskEntry, changed
from pnc.arch import BlockNet, fingerprint
from pnc.base.classifier import Recipe
from pnc.base.errors import bad
from pnc.base.mapping import from_mapping
from pnc.base.train import Checkpoint
from pnc.cloning.local.local_models import LocalModels, fit_local_models
from pnc.cloning.package import ClonePackage
from pnc.cloning.search import search
from pnc.cloning.settings import CloneSettings
from pnc.cloning.task import CloneTask


@dataclass(frozen=True)
class Experiment:
    """Names of params.yaml; ``seed`` is one of the group ``seeds``."""

    store: Store
    source: str
    target: str
    task: str
    regime: str
    seeds: str
    seed: int

    @cached_property
    def entry(self) -> TaskEntry:
        entry: TaskEntry = self.store.suite.entry(TaskEntry, f"tasks.{self.task}")
        return entry

    @cached_property
    def clone_task(self) -> CloneTask:
        """Both networks and their samples; which of them count is the regime's business.

        Raises PncError for outputs that the source lacks, and for classes that the target has already.
        """
        source, target = (self.store.network(name, self.seeds, self.seed)[0] for name in (self.source, self.target))
        self._check(source, target)
        old = self.store.samples(target, range(target.classes), self._share, self.seed, "D_o")
        new = self._new(source)
        classes = self.entry.outputs
        return CloneTask(source, target, classes, new.seen, new.held_out, old.seen, old.held_out)

    @cached_property
    def recipe(self) -> Recipe:
        """How the target was trained."""
        own = self.made_with["networks"]["target"]["recipe"]
        return from_mapping(Recipe, own, f"recipe of {self.target}")

    @cached_property
    def made_with(self) -> dict[str, Any]:
        """The settings behind the pictures and both networks, as plain values."""
        return self.store.made_with({"source": self.source, "target": self.target}, self.seeds)

    @property
    def cloned_names(self) -> tuple[str, ...]:
        """T_s as the data set calls them."""
        return self._cloned(self.clone_task.source)

    def packages(
        self, unfinished: Path, positions: Sequence[int] | None = None, changes: Mapping[str, Any] | None = None
    ) -> dict[int, ClonePackage]:
        """A clone for each of ``positions`` (None: all), with ``changes`` to the settings."""
        settings = self.settings(changes)
        return search(
            self.clone_task,
            self.local_models(settings, self.settings()),
            settings,
            self.cloned_names,
            positions=positions,
            seed=self.seed,
            checkpoint=self.checkpoint(unfinished),
            progress=True,
        )

    def checkpoint(self, folder: Path, *item: object) -> Checkpoint:
        """Of work on ``item`` with these very networks: others of the same names never go on with it."""
        networks = (self.clone_task.source, self.clone_task.target)
        return checkpoint(folder, *item, self.seed, *(fingerprint(network)[:8] for network in networks))

    def local_models(self, settings: CloneSettings, chosen: CloneSettings) -> LocalModels:
        """G around D_t: the suite's own, or another where ``settings`` and the ``chosen`` ones differ about it."""
        task = self.clone_task
        if (settings.neighbourhood, settings.ridge) != (chosen.neighbourhood, chosen.ridge):
            return fit_local_models(
                task.source,
                task.pixels,
                settings.neighbourhood,
                seed=self.seed,
                ridge=settings.ridge,
                precision=settings.precision,
                progress=True,
            )
        with self.store.suite.rebuilt_by("local_models", self.source, self.seeds):
            folder = self.store.suite.local_models(self.source, self.seeds)
            models = LocalModels.load(folder / f"seed{self.seed}.safetensors")
        return models.among(self._new(task.source).rows).to(DEVICE)

    def settings(self, changes: Mapping[str, Any] | None = None) -> CloneSettings:
        """The suite's own, with ``changes`` to them; a mapping changes just the keys that it names."""
        chosen = from_mapping(CloneSettings, self._values(changes), f"{self.store.suite.name}: clone")
        return chosen.on(DEVICE)

    def plain(self, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What a clone here is made with, the networks aside, as plain values."""
        return {**self.samples, "clone": asdict(self.settings(changes))}

    @property
    def samples(self) -> dict[str, Any]:
        """What D_t and D_o are, as plain values."""
        held_out = self.store.suite.read("samples.held_out")
        return {"task": {"classes": list(self.entry.outputs), "share": self._share, "held_out": held_out}}

    @property
    def _share(self) -> float:
        own = self.entry.share
        return float(self.store.suite.read("samples.share") if own is None else own)

    def _check(self, source: BlockNet, target: BlockNet) -> None:
        where = f"{self.store.suite.name}: tasks.{self.task}.classes"
        if lacking := [output for output in self.entry.outputs if not 0 <= output < source.classes]:
            raise bad(where, expected=f"outputs of '{self.source}', 0…{source.classes - 1}", found=lacking)
        if doubled := sorted({*class_names(target)} & {*self._cloned(source)}):
            raise bad(where, expected=f"classes that '{self.target}' does not have", found=", ".join(doubled))

    def _cloned(self, source: BlockNet) -> tuple[str, ...]:
        names = class_names(source)
        return tuple(names[output] for output in self.entry.outputs)

    def _new(self, source: Any) -> Samples:
        return self.store.samples(source, self.entry.outputs, self._share, self.seed, "D_t")

    def _values(self, changes: Mapping[str, Any] | None) -> dict[str, Any]:
        suite = self.store.suite
        own = {**suite.read("clone"), **suite.read("local_models")}
        own |= {"held_out": suite.read("samples.held_out"), "regime": self.regime}
        return changed(own, changes or {})
