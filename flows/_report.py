"""A run's tables and figures as Prefect artifacts."""

import base64
import re
from pathlib import Path

from prefect.artifacts import create_markdown_artifact

from flows._graph import Graph
from flows._summary import Row

_TABLES, _FIGURES = "TABLES.md", "figures"


def publish(graph: Graph, rows: list[Row]) -> None:
    """Every TABLES.md and folder of figures that a finished stage has written, one artifact each."""
    done = [graph[row.stage] for row in rows if row.outcome.succeeded]
    for path in (Path(output) for stage in done for output in stage.outputs):
        if path.name == _TABLES and path.is_file():
            _publish(path.parent.name, "tables", path.read_text())
        elif path.name == _FIGURES and path.is_dir():
            _publish(path.parent.name, "figures", _figures(path))


def _publish(suite: str, what: str, markdown: str) -> None:
    key = re.sub(r"[^a-z0-9]+", "-", f"{suite}-{what}".lower()).strip("-")
    create_markdown_artifact(markdown, key=key, description=f"{what.capitalize()} of the suite {suite}")


def _figures(folder: Path) -> str:
    """The pictures inside the text: the server has no other place for them."""
    return "\n\n".join(f"### {path.stem}\n\n![{path.stem}]({_data(path)})" for path in sorted(folder.glob("*.png")))


def _data(picture: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"
