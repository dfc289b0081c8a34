"""The page and the README's table made of what is in results/: nothing is left out, and both are up to date."""

import re
from collections import Counter
from collections.abc import Iterator

import pandas as pd
import pytest
from _html import Page
from _paths import ROOT

from bench.html.grid import Suited, suited
from bench.html.page import page
from bench.html.results import TITLES, every_suite
from bench.html.summary import COLUMNS, into, markdown
from bench.html.theirs import theirs
from bench.report import paper
from bench.report.cells import read_cells
from bench.report.metrics import METRICS
from bench.report.paper import OLD_CLASSES
from bench.report.tables import records

STALE = "run `make report` and commit what it writes"
PRINTED = paper.load(ROOT / "paper")


@pytest.fixture(scope="module")
def suites() -> Iterator[list[Suited]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield [suited(results, PRINTED) for results in every_suite()]


@pytest.fixture(scope="module")
def text(suites: list[Suited]) -> str:
    return page(suites, PRINTED)


@pytest.fixture(scope="module")
def read(text: str) -> Page:
    return Page(text)


def test_the_committed_page_is_what_the_results_say(text: str) -> None:
    assert (ROOT / "results" / "report.html").read_text() == text, STALE


def test_the_readme_has_the_table_that_the_cells_say(suites: list[Suited]) -> None:
    readme = (ROOT / "README.md").read_text()
    assert into(readme, markdown(suites, PRINTED)) == readme, STALE


def test_the_readme_has_a_row_for_each_data_set_and_scale_with_the_numbers_of_cells_csv() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    rows = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ")[1:] for line in lines if " | " in line}
    for dataset in OLD_CLASSES:
        path = ROOT / "results" / dataset / "cells.csv"
        cells = records(read_cells(path)) if path.is_file() else []
        found = {
            (cell["scale"], cell["row"], cell["regime"], cell["metric"]): cell
            for cell in cells
            if cell["table"] == "T1"
        }
        for scale in "SM":
            shown = rows[f"{TITLES[dataset]}, {scale}"]
            for (row, regime), number in zip(COLUMNS.values(), shown, strict=True):
                cell = found.get((scale, row, regime, "avg"))
                if cell is None or cell["quoted"]:
                    assert number.startswith("–")
                else:
                    spread = "" if cell["seeds"] == 1 else f" ± {cell['std']:.1f}"  # of one seed there is none
                    assert number.startswith(f"**{cell['mean']:.1f}**{spread}")


def test_the_same_results_give_the_same_bytes(suites: list[Suited], text: str) -> None:
    assert page(suites, PRINTED) == text


def test_nothing_is_asked_of_the_network(text: str, read: Page) -> None:
    assert not re.search(r"""(?:src|href|action|data)\s*=\s*["']?\s*(?:https?:)?//""", text)
    assert not re.search(r"@import|url\(\s*[\"']?(?!#)|fetch\(|XMLHttpRequest|import\(", text)
    assert {element.tag for element in read.elements}.isdisjoint({"link", "img", "iframe", "object", "base"})
    assert not any("src" in element.attributes for element in read.elements)
    assert all(element.attributes["href"][0] == "#" for element in read.elements if "href" in element.attributes)


def test_every_id_is_there_once_and_every_reference_has_one(read: Page) -> None:
    assert [name for name, number in Counter(read.ids).items() if number > 1] == []
    assert read.references() <= set(read.ids)


def test_every_table_says_what_it_is_and_every_header_what_it_is_of(read: Page) -> None:
    assert read.tables and all(table.caption for table in read.tables)
    assert all(element.attributes.get("scope") for element in read.elements if element.tag == "th")


def test_every_table_of_every_suite_is_there(suites: list[Suited], read: Page) -> None:
    for results, grids in suites:
        for key in grids:
            assert read.of(f"{results.suite.name}-{key}"), (results.suite.name, key)


def test_every_measured_number_that_a_table_asks_for_is_there(suites: list[Suited], read: Page) -> None:
    for results, grids in suites:
        for key in grids:
            shown = {
                place: cell
                for table in read.of(f"{results.suite.name}-{key}")
                for place, cell in table.cells().items()
            }
            for cell in records(results.of(key)):
                metric = METRICS[cell["metric"]]
                found = shown[cell["row"], cell["regime"], cell["scale"], metric.heading].text
                assert found.startswith(metric.text(cell["mean"], cell["std"])), (results.suite.name, cell)


def test_every_number_of_the_paper_is_there_once_beside_ours_or_alone(suites: list[Suited]) -> None:
    for suite in suites:
        own = PRINTED[PRINTED["dataset"] == suite.results.suite.dataset]
        beside = {
            (key, line.row, place)
            for key, grids in suite.grids.items()
            for grid in grids.all()
            for lines in grid.groups.values()
            for line in lines
            for place, entry in enumerate(line.entries)
            if entry.beside
        }
        alone = [entry for _, grid in theirs(suite, PRINTED) for line in grid.groups[""] for entry in line.entries]
        assert len(beside) + sum(bool(entry.beside) for entry in alone) == len(own), suite.results.suite.name


def test_what_is_not_measured_says_so_with_the_command_that_would_measure_it(
    suites: list[Suited], read: Page
) -> None:
    for results, grids in suites:
        name = results.suite.name
        if not results.is_measured:
            assert f"Declared in suites/{name}, not measured." in read.texts[name]
        for key, own in grids.items():
            said = read.texts[f"{name}-{key}"]
            asked, unasked = own.missing()
            assert ("Not measured" in said) == bool(asked or unasked or any(grid.absent for grid in own.all()))
            assert results.command(key) in said or not asked
            assert all(each in said for each in (*asked, *unasked)) or own.cells.empty


def test_every_measured_table_has_its_settings_and_what_they_were_measured_with(
    suites: list[Suited], read: Page
) -> None:
    for results, _ in suites:
        for key, own in results.cells.groupby("table"):
            said = read.texts[f"{results.suite.name}-{key}"]
            shown = results.of(str(key))
            assert len(own) and all(digest in said for digest in set(shown["settings"]))
            assert all(part in said for device in set(shown["device"]) for part in device.split("; "))


def test_every_figure_that_was_drawn_is_in_the_page(suites: list[Suited], read: Page) -> None:
    drawn = [
        (results, key)
        for results, _ in suites
        for key in results.suite.names("figures")
        if (ROOT / results.suite.results / "figures" / f"{key}.svg").is_file()
    ]
    labels = [element.attributes.get("aria-label") for element in read.elements if element.tag == "svg"]
    expected = [f"{results.tables[key].title} as a figure" for results, key in drawn]
    assert Counter(expected) == Counter(filter(None, labels))


def test_the_switch_has_the_regimes_that_rows_are_marked_with(read: Page) -> None:
    values = {element.attributes["value"] for element in read.elements if element.tag == "input"}
    marked = {element.attributes["data-regime"] for element in read.elements if "data-regime" in element.attributes}
    assert values == marked | {"both"} and marked == {"strict", "rehearsal"}


def test_the_page_is_small(text: str) -> None:
    assert len(text.encode()) < 1_500_000


def test_a_readme_without_the_markers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^README\.md: expected the lines <!-- table: begin"):
        into("# Title\n", pd.DataFrame().to_string())
