"""The examples in the docs run: every `console` block is typed as it stands, and prints what it says.

A document's blocks run one after the other in one folder. Expected output may leave things out with `...`. The first
command of a page is a process of its own, on the pages that readers begin with the installed one; the others run in
this process, behind a bash that is typed into. Blocks that need a network are fenced as `sh`: they are not run, but
their commands and options must exist.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Shell
from support.places import ROOT

PAGES = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]
DOCUMENTS = ["README.md", *PAGES]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
UNRUN = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
OF_THE_MIRROR = "docs/explanation/follow-one-utterance.md"
"""Its examples pull a real corpus, from the mirror beside the repository."""
BEGINNINGS = ("README.md", "docs/tutorial/first-export.md")
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


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def test_the_pages_that_teach_have_examples() -> None:
    teaching = {"README.md", "docs/commands.md", OF_THE_MIRROR, "docs/reference/store.md"}
    teaching |= {page for page in PAGES if page.startswith("docs/tutorial/")}
    assert [document for document in sorted(teaching) if not examples(text_of(document))] == []


@pytest.mark.parametrize("document", [document for document in DOCUMENTS if examples(text_of(document))])
def test_the_examples_of_a_document_print_what_it_says(
    document: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    pairs = examples(text_of(document))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRIPTYCH_")}
    environment |= {"LC_ALL": "C.UTF-8", "XDG_CONFIG_HOME": str(tmp_path / "config")}
    if document == OF_THE_MIRROR:
        environment["TRIPTYCH_MIRROR"] = str(request.getfixturevalue("shared") / "mirror")
    alone = next(command for command, _ in pairs if PROGRAMS.search(command))
    way = "real" if document in BEGINNINGS else "forked"
    # Variables that an example sets are there for the next one, as in a reader's shell.
    with Shell(tmp_path, env=environment, keep=["RUN"]) as shell:
        for command, expected in pairs:
            done = shell.run(command, **{way: command == alone})
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


@pytest.mark.parametrize("document", [document for document in DOCUMENTS if PYTHON.search(text_of(document))])
def test_the_python_of_a_document_runs(document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code in PYTHON.findall(text_of(document)):
        exec(compile(code, document, "exec"), names)


@pytest.mark.parametrize("document", [document for document in DOCUMENTS if UNRUN.search(text_of(document))])
def test_what_is_not_run_names_commands_and_options_that_exist(document: str) -> None:
    unknown = []
    for block in UNRUN.findall(text_of(document)):
        for line in block.splitlines():
            words = shlex.split(line.split(">")[0], comments=True)
            for program in ("triptych", "catalog"):
                if program in words[:1]:
                    unknown += [f"{line}: {word}" for word in unknown_words(program, words[1:])]
    assert unknown == []


@cache
def command_of(program: str) -> Any:
    import typer
    from triptych import cli

    return typer.main.get_command(cli.app if program == "triptych" else cli.catalog)


def unknown_words(program: str, words: list[str]) -> list[str]:
    """The words of a command line that are neither a command nor an option that it has."""
    command = command_of(program)
    while words and getattr(command, "commands", None):
        if words[0] not in command.commands:
            return words[:1]
        command, words = command.commands[words[0]], words[1:]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return [word for word in words if word.startswith("-") and word.split("=")[0] not in known | {"--help"}]


def test_every_command_and_option_is_documented() -> None:
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

    walk(command_of("triptych"), "triptych")
    assert missing == []
