"""Train the source or the target network on its half of the classes, once per seed."""

import argparse

from bench.work.cli import run
from bench.work.store import DEVICE, Bench, checkpoint, scratch
from bench.work.suite import seeds_of
from pnc.arch import NetworkSpec, build, save_network
from pnc.methods import train_classifier


def main(arguments: argparse.Namespace) -> None:
    """Train one role's networks for a group of seeds."""
    bench, role = Bench.open(arguments.suite), arguments.role
    images = bench.half(bench.images("train"), role)
    network_settings = bench.suite.values["networks"][role]
    mean, std = images.mean_std()
    size = int(images.pixels.shape[-1])
    spec = NetworkSpec(class_names=images.class_names, mean=mean, std=std, size=size, **network_settings)
    with scratch("pretrain", role, arguments.seeds, spec, bench.suite.values["pretrain"], images.sha256()) as folder:
        for seed in seeds_of(arguments.seeds):
            network = build(spec, seed).to(DEVICE)
            train_classifier(
                network,
                images,
                bench.schedule("pretrain"),
                bench.augmentation(),
                seed=seed,
                label=f"pretrain {role}, seed {seed}",
                checkpoint=checkpoint(folder, seed),
                progress=True,
            )
            save_network(bench.suite.network(role, seed), network, spec)


if __name__ == "__main__":
    run(main, "suite", "role", "seeds")
