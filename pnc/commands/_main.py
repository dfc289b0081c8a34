"""From arguments to a command, and from errors to one line and an exit status."""

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import pnc
from pnc.base.errors import PncError
from pnc.base.registry import Registry

Run = Callable[[argparse.Namespace], None]
Command = Callable[[argparse.ArgumentParser], Run]

COMMANDS: Registry[Command] = Registry("command", "pnc.commands")
command = COMMANDS.register
"""Decorator for a function that adds a command's arguments to a parser and returns what runs it.

The first line of the function's docstring is what ``pnc --help`` says of it. A new command is one such function in a
file of its own in ``pnc/commands``.
"""

FAILED, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that ``arguments`` (default: the process's own) name; returns the exit status.

    0: done; 2: input that does not fit, said in one line on stderr; 130: interrupted, with how to go on.
    """
    try:
        parsed = _parser().parse_args(arguments)
        with _plain_warnings():
            parsed.run(parsed)
    except PncError as error:
        return _ended(FAILED, str(error))
    except OSError as error:  # a folder that may not be written to, a full disk
        return _ended(FAILED, f"{error.filename or 'files'}: {error.strerror or error}")
    except KeyboardInterrupt as stop:
        return _ended(INTERRUPTED, "; ".join(["interrupted", *getattr(stop, "__notes__", ())]))
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """What argparse would print several lines for."""
        raise PncError(" ".join(f"{self.prog}: {message} (see {self.prog} --help)".split()))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("pnc", description="Copy classes between trained networks without changing a weight.")
    parser.add_argument("--version", action="version", version=pnc.__version__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS.names():
        add = COMMANDS.get(name)
        summary, _, more = (add.__doc__ or "").partition("\n")
        own = commands.add_parser(name, help=_percent(summary), description=_percent(" ".join([summary, more])))
        own.set_defaults(run=add(own))
    return parser


def _percent(text: str) -> str:
    """argparse fills in percent signs."""
    return text.strip().replace("%", "%%")


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """A warning is one line on stderr; where in pnc it came from is of no use here."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", pnc.PncWarning)
        warnings.showwarning = lambda message, *_, **__: print(f"pnc: warning: {message}", file=sys.stderr)
        yield


def _ended(status: int, line: str) -> int:
    print(f"pnc: {line}", file=sys.stderr)
    return status
