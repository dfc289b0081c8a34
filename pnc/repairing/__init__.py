"""A package that came through a lossy channel: which of its tensors are damaged, and how they are learned again."""

from pnc.repairing.damage import Damage, digests, find_damage
from pnc.repairing.repair import REPAIRABLE, repair

__all__ = ["REPAIRABLE", "Damage", "digests", "find_damage", "repair"]
