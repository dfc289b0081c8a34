"""Running and watching the benchmark: each flow runs as ``python -m flows.NAME``."""
