"""Every metric of the benchmark, one line each.

A line says which scores are possible, how cells round them, what tables and figures call them, and from which drop on
the regression fails: a new metric needs no more than its line here.
"""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Metric:
    """How one kind of number is checked, rounded, shown and compared."""

    name: str
    heading: str  # in tables
    unit: str  # as shown: after division by ``divisor``
    meaning: str = ""  # in words, where the heading is not enough
    better: int = 1  # 1: more is, -1: less is, 0: neither
    low: float = 0
    high: float = math.inf
    decimals: int = 2  # in cells
    shown: int = 1  # decimals in tables
    divisor: float = 1
    whole: bool = False  # whole numbers, unless seeds differ
    exact: bool = False  # counted: where seeds agree there is no spread to show
    floor: float = 0  # a change up to this much is noise, whatever the seeds say …
    relative: float = 0  # … as is one up to this part of the value

    @property
    def axis(self) -> str:
        """What an axis of a figure is called."""
        return self.heading if self.heading.endswith(self.unit) else f"{self.heading} ({self.unit})"

    def text(self, mean: float, std: float = math.nan) -> str:
        """A number as tables show it, e.g. "97.1 ± 0.3"; without its unit, and without a spread that is unknown."""
        if self.whole and not std > 0 and float(mean).is_integer():
            return f"{mean:.0f}"
        spread = math.nan if self.exact and not std > 0 else std
        numbers = [number / self.divisor for number in (mean, spread) if not math.isnan(number)]
        return " ± ".join(f"{number:.{self.shown}f}" for number in numbers)

    def printed(self, number: float) -> str:
        """A number of the paper, which has one decimal."""
        return f"{number:.0f}" if self.whole else f"{number:.1f}"


def _percent(name: str, heading: str, meaning: str = "", better: int = 1) -> Metric:
    return Metric(name, heading, "%", meaning, better, high=100, floor=0.5)


def _counted(name: str, unit: str, meaning: str, **form: Any) -> Metric:
    return Metric(name, unit, unit, meaning, better=-1, exact=True, relative=0.05, **form)


_NEW = "cloned classes"
_OWN = "the target's own classes"
_ALL = (
    _percent("ori", "Ori", f"accuracy on {_OWN}"),
    _percent("tar", "Tar", f"accuracy on the {_NEW}"),
    _percent("avg", "Avg", "Ori and Tar weighted by the number of classes behind each, as in the paper"),
    _percent("ece", "ECE", "expected calibration error", better=-1),
    _percent("leak", "Leak", f"pictures of {_OWN} that were called a cloned one", better=-1),
    _percent("expected_leak", "Expected leak", "how much of that the clone itself expects", better=-1),
    _percent("held_out", "Held out", "held-out inputs answered right, or as both whole networks do (strict)"),
    _percent("source_acc", "Source", "accuracy of the source on its own classes"),
    _percent("acc_final", "Final", "accuracy on all classes after the last step"),
    _percent("acc_mean", "Mean", "average incremental accuracy: the mean over the steps, on all classes so far"),
    _percent("acc1", "Acc 1", "accuracy on the first group of classes; Acc 2 … likewise"),
    *(_percent(f"acc{group}", f"Acc {group}") for group in range(2, 51)),
    Metric("position", "R", "", "the position that was chosen", better=0, whole=True),
    Metric("loss", "Loss", "", "what the search over R compares", better=0, low=-math.inf, decimals=4, shown=3),
    Metric("package_bytes", "kB", "kB", "size of {M, R, A, F_c}, in 1000 bytes", -1, divisor=1000, relative=0.05),
    Metric("export_bytes", "Export kB", "kB", "size of the standalone export", -1, divisor=1000, relative=0.05),
    Metric("params_m", "M params", "M params", "parameters, in millions", -1, high=1000, shown=2, relative=0.05),
    Metric("stored_params_m", "M stored", "M params", "those of the model as shipped", -1, shown=2, relative=0.05),
    Metric(
        "extra_params", "Extra params", "×", "parameters added, as a multiple", -1, high=100, shown=2, relative=0.05
    ),
    _counted(
        "added_macs_m", "M MACs", "multiply-accumulates added for one picture, in millions", decimals=6, shown=3
    ),
    _counted("added_params", "k params", "parameters added, in thousands", divisor=1000),
    Metric("recoverable", "Recoverable", "", "1 if the target can be had back", high=1, whole=True),
    Metric("locality", "Locality", "", "Sim of a class with itself less others", low=-2, high=2, shown=2, floor=0.02),
    Metric("milliseconds", "ms", "ms", "time of one batch; it depends on the machine", better=0),
    Metric("ms_per_picture", "ms", "ms", "a picture, one thread; it depends on the machine", 0, decimals=4, shown=3),
)
METRICS = {metric.name: metric for metric in _ALL}
