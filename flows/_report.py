"""A run's tables and figures as Prefect artifacts."""

import base64
import re
from collections.abc import Iterable
from pathlib import Path

from prefect.artifacts import create_markdown_artifact

from flows._graph import Graph
from flows._view import Row


def publish(graph: Graph, rows: list[Row]) -> None:
    """For each suite, what finished stages have written: results/SUITE/TABLES.md and results/SUITE/figures/*.png."""
    outputs = [Path(output) for row in rows if row.outcome.succeeded for output in graph[row.stage].outputs]
    done = sorted(path for path in outputs if path.is_file())
    for tables in (path for path in done if path.name == "TABLES.md"):
        _publish(tables.parent.name, "tables", tables.read_text())
    figures = [path for path in done if path.suffix == ".png"]
    for suite in dict.fromkeys(path.parent.parent.name for path in figures):
        _publish(suite, "figures", _pictures(path for path in figures if path.parent.parent.name == suite))


def _publish(suite: str, what: str, markdown: str) -> None:
    key = re.sub(r"[^a-z0-9]+", "-", f"{suite}-{what}".lower()).strip("-")
    create_markdown_artifact(markdown, key=key, description=f"{what.capitalize()} of the suite {suite}")


def _pictures(paths: Iterable[Path]) -> str:
    """Inside the text: the server has no other place for them."""
    return "\n\n".join(f"### {path.stem}\n\n![{path.stem}]({_data(path)})" for path in paths)


def _data(picture: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"
