"""Decode a data set's pictures once: uint8 tensors for the other stages, a table of samples for people."""

import argparse
from dataclasses import asdict

import pandas as pd

from bench.work.cli import run
from bench.work.suite import load_suite
from pnc.base.files import replacing, write_json
from pnc.base.images import Images
from pnc.base.mapping import from_mapping
from pnc.base.tensors import write_tensors
from pnc.data import DataSpec, load


def main(arguments: argparse.Namespace) -> None:
    """Write the training and test pictures of a data set."""
    suite = load_suite(arguments.suite)
    spec = from_mapping(DataSpec, suite.read("data"), f"{suite.name}: data")
    images = {split: load(spec, split) for split in ("train", "test")}
    for split, part in images.items():
        tensors = {"pixels": part.pixels, "labels": part.labels}
        write_tensors(suite.data(f"{split}.safetensors"), tensors, {"class_names": part.class_names})
    samples = pd.concat([_samples(split, part) for split, part in images.items()], ignore_index=True)
    with replacing(suite.data("samples.parquet")) as path:
        samples.to_parquet(path, index=False)
    found = {split: {"pictures": len(part), "sha256": part.sha256()} for split, part in images.items()}
    write_json(suite.data("settings.json"), {"data": {"dataset": suite.dataset, **asdict(spec), **found}})


def _samples(split: str, images: Images) -> pd.DataFrame:
    labels = images.labels.numpy()
    frame = pd.DataFrame({"split": split, "index": range(len(images)), "label": labels})
    frame["class"] = [images.class_names[label] for label in labels]
    return frame


if __name__ == "__main__":
    run(main)
