"""The examples in the docs run: every `console` block is typed as it stands, and prints what it says.

A document's blocks run one after the other in one folder. Expected output may leave things out with `...`; blocks that
need a network are fenced as `sh` and are not run. The first command of a page is a process of its own; the others run
in this one, behind a bash that is typed into.
"""

from __future__ import annotations

import doctest
import os
import re
from pathlib import Path

import pytest
from support.command_line import Shell
from support.places import ROOT

DOCUMENTS = ["README.md", "docs/catalog.md", "docs/commands.md", "docs/store.md"]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = re.compile(r"^(triptych|catalog) ", re.MULTILINE)
LIKE_DOCTEST = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def examples(text: str) -> list[tuple[str, str]]:
    """(command, expected output) pairs; lines that start with `> ` go on with the command."""
    found: list[tuple[str, str]] = []
    for block in BLOCK.findall(text):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], ""))
            elif line.startswith("> "):
                found[-1] = (f"{found[-1][0]}\n{line[2:]}", "")
            else:
                found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_examples_of_a_document_print_what_it_says(document: str, tmp_path: Path) -> None:
    pairs = examples((ROOT / document).read_text(encoding="utf-8"))
    assert pairs, f"{document} has no examples"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRIPTYCH_")}
    environment |= {"LC_ALL": "C.UTF-8", "XDG_CONFIG_HOME": str(tmp_path / "config")}
    real = next(command for command, _ in pairs if PROGRAMS.search(command))
    # Variables that an example sets are there for the next one, as in a reader's shell.
    with Shell(tmp_path, env=environment, keep=["RUN"]) as shell:
        for command, expected in pairs:
            done = shell.run(command, real=command == real)
            printed = done.stdout + (done.stderr if "||" in command else "")
            assert done.code == 0, f"{document}: $ {command}\n{done.stdout}{done.stderr}"
            if expected and "||" in command:
                printed = _in_typing_order(done.stderr, done.stdout)
            if expected:
                matches = doctest.OutputChecker().check_output(expected, printed, LIKE_DOCTEST)
                assert matches, f"{document}: $ {command}\nexpected:\n{expected}\nprinted:\n{printed}"


def _in_typing_order(errors: str, printed: str) -> str:
    """What a terminal shows of a failing command: its table, its error, then what the shell says of its exit."""
    lines = printed.splitlines(keepends=True)
    last = lines[-1:] if lines and lines[-1].startswith("exit ") else []
    return "".join(lines[: len(lines) - len(last)]) + errors + "".join(last)


def test_every_command_and_option_is_documented() -> None:
    import typer
    from triptych.cli import app

    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    missing = []

    def walk(command: object, name: str) -> None:
        for child_name, child in getattr(command, "commands", {}).items():
            walk(child, f"{name} {child_name}")
        if not getattr(command, "commands", None):
            short = name.removeprefix("triptych ")
            if short not in text:
                missing.append(name)
            for parameter in command.params:  # type: ignore[attr-defined]
                options = [o for o in parameter.opts if o.startswith("--") and o not in ("--help", "--store", "--json")]
                if options and not any(option in text for option in options):
                    missing.append(f"{name} {options[0]}")

    walk(typer.main.get_command(app), "triptych")
    assert missing == []
