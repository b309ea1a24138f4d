"""Help, quiet and verbose, versions and completion, as people meet them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import triptych
import typer.main
from support.command_line import run as run_here
from triptych.cli import app

BIN = Path(sys.executable).parent


def run(*words: str | Path, command: str = "triptych", **environment: str) -> subprocess.CompletedProcess[str]:
    """One command, as installed."""
    return subprocess.run(
        [BIN / command, *words], env=os.environ | environment, capture_output=True, encoding="utf-8", timeout=120
    )


def shown_by(*words: str | Path) -> str:
    """What a command prints, run in this process."""
    done = run_here("triptych", *words)
    assert done.code == 0, done.stderr
    return done.stdout


def commands_of(command: Any, words: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", {})
    return [(words, command), *(each for name in inner for each in commands_of(inner[name], (*words, name)))]


ALL = commands_of(typer.main.get_command(app))


def test_help_shows_every_summary_whole_under_a_heading() -> None:
    shown = " ".join(shown_by("--help").split())
    for words, command in ALL:
        if len(words) == 1:
            assert " ".join(command.help.split("\n\n")[0].split()) in shown
    for heading in ("Datasets:", "Quality:", "Files for training:", "The store:", "Every command:", "Examples:"):
        assert heading in shown
    assert "..." not in shown.partition("Every command:")[0].partition("COMMAND [ARGS]...")[2]


@pytest.mark.parametrize("words", [("catalog", "pull"), ("import",), ("export",), ("convert",)], ids=" ".join)
def test_the_help_of_a_main_command_has_headings_and_ends_with_examples(words: tuple[str, ...]) -> None:
    shown = shown_by(*words, "-h")
    assert shown == shown_by(*words, "--help") and "Options:" not in shown
    examples = shown.partition("\nExamples:\n")[2].splitlines()
    assert len(examples) >= 2 and all(line.startswith("  triptych ") for line in examples)


def test_every_example_names_options_that_there_are() -> None:
    for _, command in ALL:
        for line in (command.epilog or "").strip().splitlines():
            words = [word for word in line.split()[1:] if not word.startswith((">", "<"))]
            found, path = typer.main.get_command(app), []
            while words and words[0] in getattr(found, "commands", {}):
                path.append(words.pop(0))
                found = found.commands[path[-1]]  # type: ignore[attr-defined]
            known = {name for parameter in found.params for name in (*parameter.opts, *parameter.secondary_opts)}
            assert {word for word in words if word.startswith("-")} <= known, line


@pytest.mark.parametrize("words", [each for each, _ in ALL][::4], ids=" ".join)
def test_h_is_help_everywhere_and_every_command_takes_the_levels(words: tuple[str, ...]) -> None:
    shown = shown_by(*words, "-h")
    assert shown.startswith("Usage: triptych") and "-h, --help" in shown
    if not hasattr(dict(ALL)[words], "commands"):
        assert "-q, --quiet" in shown and "-v, --verbose" in shown


def test_both_commands_say_their_version() -> None:
    assert run("--version").stdout == run("--version", command="catalog").stdout == f"triptych {triptych.__version__}\n"


def test_quiet_silences_notes_and_not_errors(tmp_path: Path) -> None:
    pull = ["catalog", "pull", "demo-speech", "--samples", "1", "--store", tmp_path / "s"]
    shown_by(*pull)
    export = ["export", "unified", "--store", tmp_path / "s"]
    assert "never validated" in run_here("triptych", *export).stderr
    for words in ((*export, "--quiet"), ("-q", *export)):
        done = run_here("triptych", *words)
        assert (done.code, done.stderr) == (0, "") and "unified@v1" in done.stdout
    assert "never validated" in run_here("triptych", *export).stderr, "a later command of the process is not quiet"
    wrong = run_here("triptych", "--quiet", "catalog", "show", "nosuch")
    assert wrong.code == 2 and wrong.stderr.startswith("error: ")


def test_verbose_tells_where_an_error_came_from() -> None:
    for words in (("catalog", "show", "nosuch", "--verbose"), ("-v", "catalog", "show", "nosuch")):
        done = run_here("triptych", *words)
        assert done.code == 2 and "Traceback" in done.stderr and "error: " in done.stderr
    assert "Traceback" not in run_here("triptych", "catalog", "show", "nosuch").stderr


def completed(line: str, *, command: str = "triptych", **environment: str) -> list[str]:
    words = line.split(" ")
    asked = {f"_{command.upper()}_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = run_here(command, env=os.environ | asked | environment)
    assert done.code == 0, done.stderr
    return done.stdout.split()


def test_a_shell_completes_commands_options_and_names(tmp_path: Path) -> None:
    place = tmp_path / "s"
    triptych.pull("demo-speech", samples=1, store=place)
    triptych.export("unified", store=place)
    assert set(completed("triptych ex")) == {"export", "explain", "exports"}
    assert "--max-tries" in completed("triptych catalog pull --max")
    assert "librispeech" in completed("triptych catalog pull libri")
    assert "librispeech" in completed("catalog pull libri", command="catalog")
    assert completed("triptych export uni") == ["unified"]
    assert "jsonl" in completed("triptych import js")
    assert completed("triptych validate de", TRIPTYCH_STORE=str(place)) == ["demo-speech"]
    assert completed("triptych exports show unified@", TRIPTYCH_STORE=str(place)) == ["unified@v1"]


def test_the_completion_of_a_shell_can_be_shown() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{BIN}/triptych --show-completion bash || {BIN}/triptych --show-completion"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "_TRIPTYCH_COMPLETE" in done.stdout


def test_verbose_logs_each_stage_and_nothing_is_logged_without_it(tmp_path: Path) -> None:
    table = tmp_path / "clips.jsonl"
    table.write_text('{"id": "a", "text": "hello"}\n', encoding="utf-8")
    stages = [
        (["catalog", "pull", "demo-speech", "--samples", "2"], ["source synthetic", "commit samples: 2 rows, version"]),
        (["import", "jsonl", table, "--name", "mine", "--set", "modality=text"], ["import mine: ", "commit samples: "]),
        (["validate"], ["validate demo-speech: checks", "validate demo-speech: 2 samples measured", "commit checks: "]),
        (["export", "unified"], ["export unified: select samples", "export unified: published as unified@v1"]),
        (["store", "compact"], ["compact demo-speech: "]),
        (["store", "gc"], ["gc: 0 files to remove"]),
    ]
    place = ["--store", tmp_path / "store"]
    for words, lines in stages:
        shown = run_here("triptych", *words, *place, "-v").stderr
        for line in lines:
            assert line in shown, (line, shown)
    quiet = run_here("triptych", "catalog", "pull", "demo-speech", "--samples", "4", *place)
    assert quiet.code == 0 and "commit" not in quiet.stderr and "source" not in quiet.stderr
    shown = run_here("triptych", "convert", "jsonl", table, tmp_path / "out.jsonl", "--modality", "text", "-v").stderr
    assert "convert jsonl: 1 rows of unified from 1 samples" in shown
