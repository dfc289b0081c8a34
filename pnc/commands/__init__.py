"""The command line, ``pnc COMMAND …``: one file a command. docs/command-line.md shows each of them.

A command's file imports what is heavy where it runs: torch takes seconds, and ``pnc --help`` does without it.
"""

from pnc.commands._main import COMMANDS, Run, command, main

__all__ = ["COMMANDS", "Run", "command", "main"]
