"""Labelled pictures: sources, splits, batches and augmentation."""

from pnc.data._augment import Augmentation, augment
from pnc.data._batches import batches
from pnc.data._images import Images, as_float, resize
from pnc.data._registry import SOURCES, DataSpec, Split, data_source, load
from pnc.data._splits import fraction, halves, holdout

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
