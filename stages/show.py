"""Print a table of a suite again, what its numbers say, and where the tables and figures lie."""

import argparse

from rich.console import Console
from rich.text import Text

from bench.report.missing import missing
from bench.report.part import read_part
from bench.report.sentence import sentence
from bench.report.terminal import to_console
from bench.work.cli import run
from bench.work.makers import scored
from bench.work.suite import TaskEntry, load_suite


def main(arguments: argparse.Namespace) -> None:
    """Show the measured cells of one table."""
    suite, key, console = load_suite(arguments.suite), arguments.table, Console()
    wanted, cells, _ = read_part(suite, key)
    console.print(to_console(cells, wanted, suite.dataset, console.width))
    for note in missing(wanted, cells, scored(suite, key)):
        console.print(Text(note.replace("**", "").replace("`", "")), highlight=False)
    tasks = {name: suite.entry(TaskEntry, f"tasks.{name}") for name in suite.read("tasks")}
    classes = {name: len(task.outputs) for name, task in tasks.items()}
    console.print(f"\n{sentence(cells, wanted, classes)}", highlight=False)
    files = {"All tables": [suite.results / "TABLES.md"]}
    files["Figure"] = [suite.results / "figures" / f"{key}.{kind}" for kind in ("svg", "png")]
    for what, paths in files.items():
        if there := [str(path) for path in paths if path.is_file()]:
            console.print(f"{what}: {', '.join(there)}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    run(main, "table")
