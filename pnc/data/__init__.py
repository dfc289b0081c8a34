"""Labelled pictures: sources, splits, batches and augmentation."""

from pnc.base.augment import Augmentation, augment
from pnc.base.batches import batches
from pnc.base.images import Images, as_float, resize
from pnc.base.splits import fraction, halves, holdout
from pnc.data._registry import SOURCES, DataSpec, Split, data_source, load

__all__ = [
    "SOURCES",
    "Augmentation",
    "DataSpec",
    "Images",
    "Split",
    "as_float",
    "augment",
    "batches",
    "data_source",
    "fraction",
    "halves",
    "holdout",
    "load",
    "resize",
]
