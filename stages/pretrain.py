"""Train one network on its classes, once per seed: it may be a source, a target or both."""

import argparse
from dataclasses import asdict

from bench.work.cli import run
from bench.work.scratch import checkpoint, scratch
from bench.work.store import DEVICE, SETTINGS, Store
from bench.work.suite import NetworkEntry, seeds_of
from pnc.arch import NetworkSpec, build, save_network
from pnc.base.classifier import Recipe, train_classifier
from pnc.base.files import write_json
from pnc.base.mapping import from_mapping


def main(arguments: argparse.Namespace) -> None:
    """Train a network for a group of seeds."""
    store, name = Store.open(arguments.suite), arguments.network
    entry: NetworkEntry = store.suite.entry(NetworkEntry, f"networks.{name}")
    recipe = from_mapping(Recipe, store.suite.recipe(entry), f"{store.suite.name}: networks.{name}.recipe").on(DEVICE)
    images = store.train.relabelled(entry.labels)
    mean, std = images.mean_std()
    size = int(images.pixels.shape[-1])
    spec = NetworkSpec(entry.arch, images.class_names, mean, std, size, entry.width)
    folder = store.suite.network(name, arguments.seeds)
    with scratch("pretrain", vars(arguments), spec, asdict(recipe), images.sha256()) as unfinished:
        for seed in seeds_of(arguments.seeds):
            network = build(spec, seed).to(DEVICE)
            train_classifier(
                network,
                images,
                recipe,
                seed=seed,
                label=f"pretrain {name}, seed {seed}",
                checkpoint=checkpoint(unfinished, seed),
                progress=True,
            )
            save_network(folder / f"seed{seed}.safetensors", network, spec)
    write_json(folder / SETTINGS, {**asdict(entry), "recipe": asdict(recipe)})


if __name__ == "__main__":
    run(main, "network", "seeds")
