"""Fit G, the local models of a source around its pictures (Eq. 4), once per seed; all its tasks share them."""

import argparse

from bench.work.cli import run
from bench.work.store import DEVICE, Store, class_names, of_names
from bench.work.suite import seeds_of
from pnc.base.mapping import from_mapping
from pnc.base.precision import resolved
from pnc.base.splits import fraction_rows
from pnc.cloning.local.local_models import fit_local_models
from pnc.cloning.local.neighbourhood import Neighbourhood


def main(arguments: argparse.Namespace) -> None:
    """Fit the local models around the usual share of each of a source's classes, for a group of seeds."""
    store, source = Store.open(arguments.suite), arguments.source
    own = store.suite.read("local_models")
    where = f"{store.suite.name}: local_models.neighbourhood"
    neighbourhood = from_mapping(Neighbourhood, own["neighbourhood"], where)
    for seed in seeds_of(arguments.seeds):
        network, _ = store.network(source, arguments.seeds, seed)
        images, rows = of_names(store.train, class_names(network))
        chosen = fraction_rows(images, float(store.suite.read("samples.share")), seed, "D_t")
        models = fit_local_models(
            network,
            images.take(chosen).pixels,
            neighbourhood,
            seed=seed,
            ridge=own["ridge"],
            of=rows[chosen].to(DEVICE),
            precision=resolved(own.get("precision", "fp32"), DEVICE),
            progress=True,
        )
        models.save(store.suite.local_models(source, arguments.seeds) / f"seed{seed}.safetensors")


if __name__ == "__main__":
    run(main, "source", "seeds")
