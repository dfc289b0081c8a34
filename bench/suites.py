"""``python -m bench.suites``: give every suite its copy of the root's dvc.yaml.

Copies, not links: at a git revision DVC reads a link as the text of its target's name.
"""

from pathlib import Path

from pnc.base.files import write_text

GRAPH = Path("dvc.yaml")


def copies() -> dict[Path, str]:
    """Where each copy belongs, and what should stand there."""
    text = GRAPH.read_text()
    return {path.with_name(GRAPH.name): text for path in sorted(Path("suites").glob("*/params.yaml"))}


def main() -> None:
    for path, text in copies().items():
        if not path.is_file() or path.read_text() != text:
            write_text(path, text)
            print(path)


if __name__ == "__main__":
    main()
