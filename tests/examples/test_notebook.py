"""The notebook in examples/ was run from top to bottom, shows pictures, and runs again."""

import json
from itertools import chain
from typing import Any

import pytest
from _paths import ROOT

PATH = ROOT / "examples" / "kept_filters.ipynb"


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def pictures(notebook: Any) -> int:
    outputs = chain.from_iterable(cell["outputs"] for cell in code_cells(notebook))
    return sum("image/png" in output.get("data", {}) for output in outputs)


def text(notebook: Any) -> str:
    outputs = chain.from_iterable(cell["outputs"] for cell in code_cells(notebook))
    return "".join("".join(output.get("text", "")) for output in outputs if output.get("name") == "stdout")


def test_the_notebook_is_stored_small_and_with_all_that_it_shows() -> None:
    notebook = json.loads(PATH.read_text())
    assert PATH.stat().st_size < 500_000
    assert [cell["execution_count"] for cell in code_cells(notebook)] == [1, 2, 3, 4]
    assert pictures(notebook) == 3
    kinds = {(o["output_type"], o.get("name")) for cell in code_cells(notebook) for o in cell["outputs"]}
    assert kinds == {("stream", "stdout"), ("display_data", None)}  # no errors and no warnings
    assert "5 of 16 filters are kept" in text(notebook)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what Jupyter says about itself
def test_the_notebook_runs_again_and_keeps_as_many_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    stored, again = (nbformat.read(PATH, as_version=4) for _ in range(2))
    client = nbclient.NotebookClient(again, timeout=900, resources={"metadata": {"path": str(PATH.parent)}})
    client.execute()
    assert pictures(again) == pictures(stored)
    kept = [[line for line in text(each).splitlines() if "filters are kept" in line] for each in (stored, again)]
    assert kept[0] == kept[1] and len(kept[0]) == 3
