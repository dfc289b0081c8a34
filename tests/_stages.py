"""Where the stages of the whole run write, and what they are called with."""

from pathlib import Path

AT = Path("artifacts/digits")
SCORES = Path("results/digits/scores")
PAIR = {"source": "new", "target": "old", "task": "S"}
CLONE = {**PAIR, "regime": "strict", "seeds": "0"}
CLONES = AT / "0/clones/new/old/S/strict"
TAUGHT = {"learner": "forgetful", "target": "old", "increment": "s1", "seeds": "0"}
UNTRAINED = {"grid": "main", "method": "untrained", **PAIR, "seeds": "0"}


def flags(arguments: dict[str, str]) -> list[str]:
    return [text for name, value in arguments.items() for text in (f"--{name}", value)]
