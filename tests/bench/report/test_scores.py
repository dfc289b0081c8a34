"""Which score files are taken, and how the others are refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from _cells import MADE, score, write_scores

from bench.report.scores import SCORE, read_scores
from pnc.base.errors import PncError
from pnc.base.files import write_record


def test_every_score_is_a_row_with_what_is_behind_it(tmp_path: Path) -> None:
    path = write_scores(tmp_path / "a.json", score(), score(seed=1, value=60))
    found = read_scores([path])
    assert list(found) == [*SCORE, "settings", "made", "file"]
    assert found["value"].tolist() == [50, 60]
    assert {json.loads(text)["commit"] for text in found["made"]} == {"1a2b3c4"}
    assert set(found["file"]) == {str(path)}


def test_a_file_with_its_checksum_is_read_and_a_changed_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_record(path, {"scores": [score()], "settings": {}, "made": MADE})
    assert len(read_scores([path])) == 1
    path.write_text(path.read_text().replace("50.0", "51.0"))
    with pytest.raises(PncError, match=r"a\.json: expected a whole JSON file"):
        read_scores([path])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": ""}, "source: expected a name, found ''"),
        ({"method": 3}, "method: expected str, found 3"),
        ({"at": 2}, "at: expected str, found 2"),
        ({"regime": "lax"}, "regime: expected one of .* found 'lax'"),
        ({"metric": "acc"}, "metric: expected one of .*'avg'.* found 'acc'"),
        ({"seed": -1}, "seed: expected 0 or more, found -1"),
        ({"seed": "0"}, "seed: expected int, found '0'"),
        ({"seed": True}, "seed: expected int, found True"),
        ({"value": "97"}, "value: expected int or float, found '97'"),
        ({"value": float("nan")}, "avg: expected a finite number from 0 to 100, found nan"),
        ({"value": 100.5}, "avg: expected a finite number from 0 to 100, found 100.5"),
        ({"value": -0.1}, "avg: expected .* found -0.1"),
        ({"metric": "loss", "value": float("inf")}, "loss: expected a finite number .* found inf"),
        ({"metric": "package_bytes", "value": -1}, "package_bytes: expected .* found -1"),
        ({"metric": "recoverable", "value": 2}, "recoverable: expected a finite number from 0 to 1, found 2"),
        ({"colour": "red"}, "expected the keys .* found .*'colour'"),
    ],
)
def test_a_bad_score_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write_scores(tmp_path / "a.json", score(seed=4), score(**changes))
    with pytest.raises(PncError, match=message) as caught:
        read_scores([path])
    assert str(caught.value).startswith(f"{path}, score 2")
    assert "\n" not in str(caught.value)


MADE_TEXT = json.dumps(MADE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected a JSON file, found damaged text"),
        ("[]", "expected the keys .*, found list"),
        ('{"scores": [], "settings": {}}', "expected the keys .*'made'"),
        (f'{{"scores": {{}}, "settings": {{}}, "made": {MADE_TEXT}}}', "scores: expected list"),
        (f'{{"scores": [], "settings": null, "made": {MADE_TEXT}}}', "settings: expected dict, found None"),
        ('{"scores": [], "settings": {}, "made": "here"}', "made: expected dict, found 'here'"),
        ('{"scores": [], "settings": {}, "made": {}}', r"made: expected the keys .*'torch'.*, found \[\]"),
        (f'{{"scores": [1], "settings": {{}}, "made": {MADE_TEXT}}}', "score 1: expected the keys .*, found int"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(PncError, match=f"{re.escape(str(path))}.*{message}"):
        read_scores([path])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PncError, match=r"gone\.json: expected a JSON file, found no file"):
        read_scores([tmp_path / "gone.json"])


@pytest.mark.parametrize("scores", [[], [[]]])
def test_no_scores_at_all_are_refused(tmp_path: Path, scores: list[list[dict[str, Any]]]) -> None:
    with pytest.raises(PncError, match="score files: expected at least one, found none"):
        read_scores([write_scores(tmp_path / "a.json", *each) for each in scores])


def test_a_score_given_twice_names_both_files(tmp_path: Path) -> None:
    files = [
        write_scores(tmp_path / "a.json", score()),
        write_scores(tmp_path / "b.json", score(seed=1), score(value=51)),
    ]
    with pytest.raises(
        PncError, match=r"b\.json, source 'new'.*seed 0: expected a new score, found one of .*a\.json again"
    ):
        read_scores(files)
