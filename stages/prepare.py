"""Decode a suite's pictures once: uint8 tensors for the other stages, a table of samples for people."""

import argparse
from dataclasses import asdict

import pandas as pd

from bench.work.cli import run
from bench.work.store import Bench
from pnc.base.files import replacing, write_json
from pnc.base.images import Images
from pnc.base.splits import halves
from pnc.cloning.settings import from_mapping
from pnc.data import DataSpec, load


def main(arguments: argparse.Namespace) -> None:
    """Write the training and test pictures of a suite."""
    bench = Bench.open(arguments.suite)
    spec = from_mapping(DataSpec, bench.suite.values["data"], f"suites.{bench.suite.name}.data")
    images = {split: load(spec, split) for split in ("train", "test")}
    for split, part in images.items():
        bench.write_images(split, part)
    samples = pd.concat([_samples(split, part) for split, part in images.items()], ignore_index=True)
    with replacing(bench.suite.folder / "data" / "samples.parquet") as path:
        samples.to_parquet(path, index=False)
    summary = {split: {"pictures": len(part), "sha256": part.sha256()} for split, part in images.items()}
    write_json(bench.suite.folder / "data" / "summary.json", {"data": asdict(spec), **summary})


def _samples(split: str, images: Images) -> pd.DataFrame:
    target, _ = halves(len(images.class_names))
    labels = images.labels.numpy()
    frame = pd.DataFrame({"split": split, "index": range(len(images)), "label": labels})
    frame["class"] = [images.class_names[label] for label in labels]
    frame["half"] = ["target" if label in target else "source" for label in labels]
    return frame


if __name__ == "__main__":
    run(main, "suite")
