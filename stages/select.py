"""Choose R*, the position with the least converged loss, per seed (Algorithm 1, line 22)."""

import argparse

from bench.work.cli import run
from bench.work.suite import load_suite, seeds_of
from pnc.base.files import read_json, write_record
from pnc.cloning.selection import best_position


def main(arguments: argparse.Namespace) -> None:
    """Write R* and the losses of all positions of one clone."""
    suite = load_suite(arguments.suite)
    names = (arguments.source, arguments.target, arguments.task, arguments.regime)
    folder = suite.clones(*names, arguments.seeds)
    losses, chosen = {}, {}
    for position in suite.read("grids.main.R"):
        with suite.rebuilt_by("localize_insert", *names, str(position), arguments.seeds):
            losses[position] = read_json(folder / "at" / f"R{position}" / "losses.json")
    for seed in seeds_of(arguments.seeds):
        by_position = {position: loss[str(seed)] for position, loss in losses.items()}
        chosen[seed] = {"position": best_position(by_position), "losses": by_position}
    write_record(folder / "chosen.json", chosen)


if __name__ == "__main__":
    run(main, "source", "target", "task", "regime", "seeds")
