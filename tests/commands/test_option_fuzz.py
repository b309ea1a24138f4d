"""Commands with any options: whatever is typed, the answer is in words, never a traceback."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import triptych
import typer
from support.command_line import run
from support.imported import bring_in, speech_rows
from triptych.cli import app

LEFT_OUT = {"demo", "install-completion", "show-completion"}
"""`demo` does its whole work whatever is asked; the others write to the shell's own files."""

FIT: dict[str, tuple[str, ...]] = {
    "format": ("csv", "jsonl", "folder", "kaldi", "unified", "msswift", "merge", "split"),
    "path": ("t.csv", "rows", "rows/mine.jsonl", "t.json"),
    "paths": ("t.csv", "rows/mine.jsonl", "t.json"),
    "out": ("out.jsonl", "made"),
    "file": ("t.csv", "rows/mine.jsonl"),
    "view": ("unified", "msswift"),
    "dataset": ("mine",),
    "datasets": ("mine",),
    "names": ("demo-speech", "librispeech"),
    "name": ("mine", "unified", "demo-speech"),
    "export": ("unified@v1", "unified"),
    "sql": ("select id, text from samples", "select 1"),
    "sample": ("mine/train/utt000",),
    "id": ("mine/train/utt000",),
    "identity": ("mine/train/utt000",),
    "key": ("text", "review"),
    "where": ("text is not null", "task = 'asr'"),
    "columns": ("text=text", "path=audio"),
    "values": ("task=asr", "language=en"),
    "mirror": ("rows",),
    "from_path": ("rows", "t.csv"),
    "store": ("store",),
    "split": ("train", "test"),
    "order": ("hash", "id"),
    "text": ("raw", "clean"),
    "on_conflict": ("update",),
    "media_root": ("/tmp",),
    "task": ("asr", "sft", "grpo"),
}
"""What fits a parameter of this name, so that a command gets beyond its first check."""

NOT_DRAWN = {"help", "store", "mirror", "verbose", "report", "data_docs"}
"""`--verbose` shows the traceback of an error on purpose; a report takes seconds."""

ODD = (
    "", " ", "\n", "=", "x=", "=y", "a=b=c", "%s%n", "{file}", "{", "..", "/", "/dev/null", "-", "e\u0301", "0", "-1",
    "1e9", "nan",
    "99999999999999999999", "null", "*", "[", "(", "'", '"; --', "a" * 300, "nosuch", "rows", "t.csv", "broken.json",
    "broken.parquet", "@", "@v1", "unified@v99", "mine", "a/b/c", "1/0", "2/1", "select", "1=1", "\U0001f415", "S9",
)  # fmt: skip


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its words."""

    def inside(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        for name, each in getattr(command, "commands", {}).items():
            if name not in LEFT_OUT and not getattr(each, "hidden", False):
                yield from inside(each, (*words, name))
        if not hasattr(command, "commands"):
            yield words, command

    yield from inside(typer.main.get_command(app), ())


COMMANDS = list(commands())


def line(words: Sequence[str], command: Any, draw: random.Random) -> list[str]:
    """A command line: its arguments as a rule, and some of its options."""
    typed: list[str] = []
    odd = draw.random() < 0.8

    def value(parameter: Any) -> str:
        fitting = FIT.get(str(parameter.name), ())
        return draw.choice(fitting if fitting and draw.random() < (0.4 if odd else 0.9) else ODD)

    options: list[str] = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            typed += [value(parameter) for _ in range(draw.choice((1, 1, 1, 2)) if parameter.nargs == -1 else 1)]
        elif parameter.name not in NOT_DRAWN and draw.random() < 0.2:
            flag = draw.choice([*parameter.opts, *parameter.secondary_opts])
            options += [flag] if parameter.is_flag else [flag, value(parameter)]
    if draw.random() < 0.1:
        typed = typed[:-1]
    for parameter in command.params:
        if parameter.name == "mirror":
            options += ["--mirror", "rows"]  # nothing goes to the network
    return [*words, *typed, *options]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store, an export, tables that are right, and files that are broken."""
    folder = tmp_path_factory.mktemp("fuzz")
    store = bring_in(folder / "store", "mine", speech_rows(folder / "rows/sound", 3, task="asr"), folder / "rows")
    triptych.export("unified", store=store)
    (folder / "t.csv").write_text("path,text\nrows/sound/0.flac,one\nrows/sound/1.flac,two\n")
    (folder / "t.json").write_text('{"data": [{"audio": "rows/sound/0.flac", "text": "one"}]}')
    (folder / "broken.json").write_text('{"a": [')
    (folder / "broken.parquet").write_bytes(b"PAR1 no")
    return folder


@pytest.fixture(autouse=True)
def commands_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making the commands takes most of the time of a line that is refused."""
    monkeypatch.setattr(typer.main, "get_command", cache(typer.main.get_command))


def check(place: Path, scratch: Path, lines: Sequence[Sequence[str]]) -> None:
    environment = {**os.environ, "TRIPTYCH_STORE": "store", "HF_HUB_OFFLINE": "1", "COLUMNS": "100"}
    code = 0
    for typed in lines:
        if code != 2:  # what is refused changes nothing
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.copytree(place, scratch)
        done = run("triptych", *typed, cwd=scratch, env=environment)
        assert "Traceback" not in done.stderr and "panicked" not in done.stderr, (typed, done.stderr)
        assert done.code in (0, 1, 2, 3, 4), (typed, done)
        code = done.code


def lines_of(seed: int, count: int) -> list[list[str]]:
    """Different lines; a command with many options is drawn more often."""
    draw = random.Random(seed)
    weights = [len(command.params) ** 2 for _, command in COMMANDS]
    lines = (line(*draw.choices(COMMANDS, weights)[0], draw) for _ in range(count))
    return [list(each) for each in dict.fromkeys(map(tuple, lines))]


def test_no_command_line_ends_in_a_traceback(place: Path, tmp_path: Path) -> None:
    check(place, tmp_path / "here", lines_of(8, 200))


@pytest.mark.thorough
def test_no_command_line_of_many_ends_in_a_traceback(place: Path, tmp_path: Path) -> None:
    check(place, tmp_path / "here", lines_of(9, 5000))
