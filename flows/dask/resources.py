"""What a stage holds while it runs on a Dask worker: ``resources`` in params.yaml, by stage. No torch, no Dask."""

from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

import yaml

from pnc.base.errors import bad

Resources = Mapping[str, float]


def required(stage: str, known: Set[str], path: str | Path = "params.yaml") -> dict[str, float]:
    """The abstract resources of ``stage``; none if it is not listed. Raises PncError for a wrong list."""
    listed = yaml.safe_load(Path(path).read_text()).get("resources") or {}
    if not isinstance(listed, dict):
        raise bad("resources", expected="resources by stage", found=repr(listed))
    for name, resources in listed.items():
        if name not in known:
            raise bad("resources", expected=f"stages of {', '.join(sorted(known))}", found=repr(name))
        if not isinstance(resources, dict) or not all(map(_is_amount, resources.values())):
            raise bad(f"resources.{name}", expected="positive numbers by resource", found=repr(resources))
    return dict(listed.get(stage, {}))


def obtainable(stage: str, needed: Resources, offers: Iterable[Resources]) -> dict[str, float]:
    """What of ``needed`` a cluster knows at all, given what each of its workers declares.

    A cluster that declares no GPU anywhere has none to share out, and can still run every stage. Raises PncError if
    resources are declared but no worker has enough of them: the stage would wait for ever.
    """
    offers = list(offers)
    asked = {name: amount for name, amount in needed.items() if any(name in offer for offer in offers)}
    if not any(all(offer.get(name, 0) >= amount for name, amount in asked.items()) for offer in offers):
        raise bad(f"resources.{stage}", expected=f"no more than a worker has of {offers}", found=asked)
    return asked


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
