"""What the stages share: typed settings, and the networks, samples and packages that a suite's artefacts hold."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

import pnc
from bench.work.provenance import device_name
from bench.work.suite import Suite, load_suite
from pnc.arch import BlockNet, NetworkSpec, load_network
from pnc.base.augment import Augmentation
from pnc.base.evaluate import scores
from pnc.base.files import write_record
from pnc.base.images import Images
from pnc.base.splits import fraction, halves, holdout
from pnc.base.tensors import read_tensors, write_tensors
from pnc.base.train import Checkpoint, Schedule
from pnc.cloning.local.local_models import LocalModels
from pnc.cloning.settings import CloneSettings, from_mapping
from pnc.cloning.task import CloneTask
from pnc.methods import METHODS, MethodTask

SCRATCH = Path(".scratch")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
Record = dict[str, Any]
# What every score depends on; not the seeds, nor which other methods there are.
SETTINGS = ("dataset", "data", "networks", "pretrain", "samples", "clone", "finetune")


@dataclass(frozen=True)
class Bench:
    """A suite with its artefacts at hand."""

    suite: Suite

    @staticmethod
    def open(name: str) -> "Bench":
        return Bench(load_suite(name))

    def images(self, split: str) -> Images:
        tensors, notes = read_tensors(self.suite.data(split))
        return Images(tensors["pixels"], tensors["labels"], tuple(notes["class_names"])).to(DEVICE)

    def write_images(self, split: str, images: Images) -> None:
        tensors = {"pixels": images.pixels, "labels": images.labels}
        write_tensors(self.suite.data(split), tensors, {"class_names": images.class_names})

    def half(self, images: Images, role: str) -> Images:
        """The pictures of the target's (first) or the source's (second) half of the classes."""
        target, source = halves(len(images.class_names))
        return images.relabelled(target if role == "target" else source)

    def cloned(self, images: Images, scale: str) -> Images:
        """The pictures of T_s, labelled by their place in it."""
        return self.half(images, "source").relabelled(self.suite.scales[scale])

    def network(self, role: str, seed: int) -> tuple[BlockNet, NetworkSpec]:
        network, spec = load_network(self.suite.network(role, seed))
        return network.to(DEVICE), spec

    def local_models(self, scale: str, seed: int) -> LocalModels:
        return LocalModels.load(self.suite.local_models(scale, seed)).to(DEVICE)

    def settings(self, regime: str, changes: Mapping[str, Any] | None = None) -> CloneSettings:
        """The suite's own, with ``changes`` to them; a mapping changes just the keys that it names."""
        values: dict[str, Any] = {
            **self.suite.values["clone"],
            **self.suite.values["local_models"],
            "held_out": self.suite.values["samples"]["held_out"],
            "regime": regime,
        }
        for key, change in (changes or {}).items():
            values[key] = {**values.get(key, {}), **change} if isinstance(change, dict) else change
        return from_mapping(CloneSettings, values, f"suites.{self.suite.name}.clone")

    def schedule(self, key: str) -> Schedule:
        """``pretrain`` or ``finetune``."""
        values = {name: value for name, value in self.suite.values[key].items() if name != "augmentation"}
        return from_mapping(Schedule, values, f"suites.{self.suite.name}.{key}")

    def augmentation(self) -> Augmentation:
        values = self.suite.values["pretrain"].get("augmentation", {})
        return from_mapping(Augmentation, values, f"suites.{self.suite.name}.pretrain.augmentation")

    def task(self, scale: str, seed: int, train: Images) -> CloneTask:
        """Networks and samples: ``samples.share`` of D_t and of D_o, each with its held-out part."""
        share, held_out = (self.suite.values["samples"][key] for key in ("share", "held_out"))
        new = holdout(fraction(self.cloned(train, scale), share, seed, "D_t"), held_out, seed, "D_t")
        old = holdout(fraction(self.half(train, "target"), share, seed, "D_o"), held_out, seed, "D_o")
        source, target = self.network("source", seed)[0], self.network("target", seed)[0]
        return CloneTask(source, target, tuple(self.suite.scales[scale]), *new, *old)

    def write_scores(self, path: Path, records: list[Record], scale: str, *more: str, **own: Any) -> None:
        """A stage's numbers with the settings behind them: every score's, the keys ``more``, and its ``own``."""
        values = self.suite.values
        settings = {key: values[key] for key in (*SETTINGS, *more)} | {"classes": self.suite.scales[scale]} | own
        write_record(path, {"scores": records, "settings": settings, "device": device()})


@dataclass(frozen=True)
class Setting:
    """One scale, regime and seed of a suite, with the pictures to train and to test on."""

    bench: Bench
    scale: str
    regime: str
    seed: int
    train: Images
    test: Images

    @cached_property
    def task(self) -> CloneTask:
        return self.bench.task(self.scale, self.seed, self.train)

    def measure(self, name: str, folder: Path, **trained: Any) -> list[Record]:
        """Run a method and return its accuracies as records."""
        return self.records(METHODS.get(name).row, self.accuracies(name, folder, **trained))

    def accuracies(self, name: str, folder: Path, **trained: Any) -> dict[str, float]:
        """Run a method and evaluate it on the test pictures of T_t and T_s."""
        old, new = self.bench.half(self.test, "target"), self.bench.cloned(self.test, self.scale)
        return scores(METHODS.get(name).build(self._method_task(name, folder, trained)), old, new)

    def records(self, row: str, values: Mapping[str, float], table: str = "T1") -> list[Record]:
        """Score records, one per metric."""
        common = {"table": table, "row": row, "scale": self.scale, "regime": self.regime, "seed": self.seed}
        return [{**common, "metric": metric, "value": value} for metric, value in values.items()]

    def _method_task(self, name: str, folder: Path, trained: dict[str, Any]) -> MethodTask:
        bench = self.bench
        own = bench.network("target", self.seed)[1]
        classes = self._joint_classes()
        names = tuple(self.train.class_names[index] for index in classes)
        full = self.train.relabelled(classes)
        mean, std = full.mean_std()
        return MethodTask(
            clone=self.task,
            full=full,
            spec=replace(own, class_names=names, mean=mean, std=std),
            settings=bench.settings(self.regime or "strict"),
            pretrain=bench.schedule("pretrain"),
            finetune=bench.schedule("finetune"),
            augmentation=bench.augmentation(),
            seed=self.seed,
            checkpoint=checkpoint(folder, name, self.seed),
            progress=True,
            **trained,
        )

    def _joint_classes(self) -> list[int]:
        """Data set labels of T_t, then of T_s."""
        target, source = halves(len(self.train.class_names))
        return [*target, *(source[index] for index in self.bench.suite.scales[self.scale])]


@contextmanager
def scratch(stage: str, *key: object) -> Iterator[Path]:
    """A folder for unfinished work, named by a hash of ``key`` and of pnc's code; gone once the work is through.

    A stage that was killed finds its checkpoints here; after a change of parameters, inputs or code it does not.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode())
    for path in sorted(Path(pnc.__path__[0]).rglob("*.py")):
        digest.update(path.read_bytes())
    folder = SCRATCH / f"{stage}-{digest.hexdigest()[:16]}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def checkpoint(folder: Path, *item: object) -> Checkpoint:
    return Checkpoint(folder / f"{'-'.join(map(str, item))}.pt")


def device() -> str:
    return device_name(torch.cuda.get_device_name() if torch.cuda.is_available() else None)
