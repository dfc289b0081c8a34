"""Choose R*, the position with the least converged loss, per seed (Algorithm 1, line 22)."""

import argparse

from bench.work.cli import run
from bench.work.suite import load_suite, seeds_of
from pnc.base.files import read_json, write_record
from pnc.cloning.selection import best_position


def main(arguments: argparse.Namespace) -> None:
    """Write R* and the losses of all positions for one scale and regime."""
    suite, scale, regime = load_suite(arguments.suite), arguments.scale, arguments.regime
    folder = suite.clones(scale, regime, arguments.seeds)
    losses = {position: read_json(folder / f"R{position}" / "losses.json") for position in suite.positions}
    chosen = {}
    for seed in seeds_of(arguments.seeds):
        by_position = {position: loss[str(seed)] for position, loss in losses.items()}
        chosen[seed] = {"position": best_position(by_position), "losses": by_position}
    write_record(suite.selection(scale, regime, arguments.seeds), chosen)


if __name__ == "__main__":
    run(main, "suite", "scale", "regime", "seeds")
