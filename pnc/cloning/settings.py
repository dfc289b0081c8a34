"""Every setting of a clone, with each ambiguity of the paper as a named choice. docs/method.md says why."""

from dataclasses import dataclass, field, replace
from typing import Literal, get_args, get_type_hints

import torch

from pnc.base.augment import Augmentation
from pnc.base.errors import bad
from pnc.base.precision import Precision, resolved
from pnc.base.train import Schedule
from pnc.cloning.local.neighbourhood import Neighbourhood
from pnc.cloning.masks import MaskReading, kept_filters
from pnc.cloning.regime import STRICT

Regime = Literal["strict", "rehearsal"]
Inputs = Literal["wide", "neighbourhood"]
Insertion = Literal["joint", "two_softmax", "labels"]
Start = Literal["ridge", "random"]
Kernel = Literal["1x1", "3x3"]
Calibration = Literal["held_out", "none"]


@dataclass(frozen=True)
class Rehearsal:
    """L_ins where D_o is seen: the ``weight`` of old against new pictures beside distillation, and their views."""

    weight: float = 10.0
    augmentation: Augmentation = field(default_factory=lambda: Augmentation(crop=2, flip=False, rotation=10))

    def __post_init__(self) -> None:
        if not self.weight > 0:
            raise bad("rehearsal.weight", expected="a positive number", found=self.weight)


@dataclass(frozen=True)
class CloneSettings:
    """How a clone is learned.

    ``regime``       strict: D_t alone; rehearsal: also a stated part of D_o
    ``keep``         c^l / |W^l|, the fraction of each layer's filters that M keeps
    ``reading``      what a masked filter leaves behind (pnc.cloning.masks)
    ``inputs``       what L_ins is distilled on: the widened neighbourhood, or b · x alone as in Eq. 7
    ``insertion``    joint: one softmax over old and new classes; two_softmax: Eq. 7 to the letter;
                     labels: cross-entropy with D_t's labels
    ``adapter``      A's convolution: the paper's 1×1, or a 3×3
    ``start``        where A starts: the closed-form map between the two networks' features, or random
    ``rest_weight``  how much of the source's evidence for its other classes counts against a cloned class
    ``calibration``  an offset on the new logits, chosen on held-out pictures, or none
    ``q``, ``neutral``  strict calibration: at most a share q of held-out D_t is called new, and of pictures that D_t
                     is widened into, which neither network knows well, at most a share ``neutral``
    ``localisation`` weight of L_loc beside L_ins
    ``rehearsal``    how D_o is used in the regime of that name
    ``held_out``     the share of D_t kept for choosing R, δ and q
    ``score_rate``   learning rate of M's scores relative to A and F_c
    ``anneal``       share of ``schedule`` over which the kept fraction falls from 1 to ``keep``
    ``inputs_per_epoch`` how many perturbed pictures are drawn, once; an epoch goes through them
    ``start_inputs``, ``held_out_inputs``  how many A's start and the converged loss are computed on
    ``schedule``     for M, A and F_c together
    ``insert``       then, with M fixed, for A, F_c and the constants of a "rescaled" M; None for no such part
    ``precision``    the arithmetic of all passes that teach or are taught; "auto" is bfloat16 where the processor
                     computes in it. Calibration and everything that is measured stay in float32
    """

    regime: Regime = STRICT
    neighbourhood: Neighbourhood = field(default_factory=Neighbourhood)
    ridge: float = 1e-3
    keep: float = 0.3
    reading: MaskReading = "rescaled"
    inputs: Inputs = "wide"
    insertion: Insertion = "joint"
    adapter: Kernel = "1x1"
    start: Start = "ridge"
    rest_weight: float = 0.25
    calibration: Calibration = "held_out"
    q: float = 0.96
    neutral: float = 0.5
    localisation: float = 0.1
    rehearsal: Rehearsal = field(default_factory=Rehearsal)
    held_out: float = 0.2
    score_rate: float = 3.0
    anneal: float = 0.0
    inputs_per_epoch: int = 8000
    start_inputs: int = 1024
    held_out_inputs: int = 2048
    schedule: Schedule = field(default_factory=lambda: Schedule(epochs=3, batch=128, lr=5e-3))
    insert: Schedule | None = field(default_factory=lambda: Schedule(epochs=12, batch=128, lr=5e-3))
    precision: Precision = "fp32"

    def __post_init__(self) -> None:
        kept_filters(1, self.keep)
        resolved(self.precision, "cpu")
        for name in ("regime", "reading", "inputs", "insertion", "adapter", "start", "calibration"):
            known = get_args(get_type_hints(CloneSettings)[name])
            if getattr(self, name) not in known:
                raise bad(name, expected=f"one of {', '.join(known)}", found=repr(getattr(self, name)))
        for name in ("q", "held_out"):
            if not 0 < getattr(self, name) < 1:
                raise bad(name, expected="a fraction in (0, 1)", found=getattr(self, name))
        for name, allowed in (("neutral", 0 < self.neutral <= 1), ("anneal", 0 <= self.anneal <= 1)):
            if not allowed:
                raise bad(name, expected="a fraction, at most 1", found=getattr(self, name))
        for name in ("ridge", "rest_weight", "localisation", "score_rate"):
            if not getattr(self, name) >= 0:
                raise bad(name, expected="a number from 0 up", found=getattr(self, name))
        for name in ("inputs_per_epoch", "start_inputs", "held_out_inputs"):
            if getattr(self, name) < 1:
                raise bad(name, expected="a positive number", found=getattr(self, name))

    def on(self, device: torch.device | str) -> "CloneSettings":
        """With nothing left to be decided by the machine that has ``device``."""
        return replace(self, precision=resolved(self.precision, device))
