"""Pictures by name: data sources, which only ``prepare`` and examples need."""

from pnc.data._registry import SOURCES, DataSpec, Split, data_source, load

__all__ = ["SOURCES", "DataSpec", "Split", "data_source", "load"]
