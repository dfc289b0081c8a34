"""``pnc`` itself: which commands there are, exit statuses, one line for every error."""

import argparse
import runpy
import subprocess
import sys
import tomllib

import pytest
from _commands import refused, run
from _paths import ROOT

import pnc.commands
from pnc.commands import COMMANDS, Run, command, main

SHIPPED = ("attach", "clone", "detach", "evaluate", "export", "inspect")


def test_help_names_every_command_and_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    out = capsys.readouterr().out
    assert set(SHIPPED) <= set(COMMANDS.names())
    for name in COMMANDS.names():
        assert f"    {name}" in out
    assert "Say what packages hold" in out


@pytest.mark.parametrize("name", SHIPPED)
def test_every_command_has_a_help_of_its_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: pnc {name}")


def test_help_does_without_torch() -> None:
    code = "import sys, pnc.commands\ntry: pnc.commands.main(['--help'])\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_a_new_command_is_one_registered_function(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    COMMANDS.names()
    monkeypatch.setattr(COMMANDS, "_entries", dict(COMMANDS._entries))

    @command("greet")
    def greet(parser: argparse.ArgumentParser) -> Run:
        """Say hello, 100 % of the time."""
        parser.add_argument("whom")
        return lambda arguments: print(f"hello {arguments.whom}")

    assert run(capsys, "greet", "owl") == "hello owl\n"


def test_the_installed_program_and_the_module_are_main(monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"]["pnc"] == "pnc.commands:main"
    assert pnc.commands.main is main
    monkeypatch.setattr(sys, "argv", ["pnc", "--version"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("pnc", run_name="__main__")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "pnc: the following arguments are required: COMMAND (see pnc --help)"),
        (["clon"], "pnc: argument COMMAND: invalid choice: 'clon'"),
        (["inspect"], "pnc inspect: the following arguments are required: PACKAGE (see pnc inspect --help)"),
        (["clone", "--seed", "one"], "pnc clone: argument --seed: invalid int value: 'one' (see pnc clone --help)"),
    ],
)
def test_arguments_that_are_none_are_one_line(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, *words).startswith(line)


def test_ctrl_c_is_exit_status_130_and_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    COMMANDS.names()
    monkeypatch.setattr(COMMANDS, "_entries", dict(COMMANDS._entries))

    @command("wait")
    def wait(parser: argparse.ArgumentParser) -> Run:
        """Wait."""

        def interrupted(arguments: argparse.Namespace) -> None:
            raise KeyboardInterrupt

        return interrupted

    assert main(["wait"]) == 130
    assert capsys.readouterr().err == "pnc: interrupted\n"
