"""What is shown of a command that takes long: a bar on a terminal, elsewhere the lines that it tells."""

from __future__ import annotations

import io
import sys

import pytest
from triptych.commands import output
from triptych.errors import amount
from triptych.shards import pace


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO) -> str:
    monkeypatch.setattr("sys.stderr", stderr)
    with output.progress("train", total=None, unit="steps") as tell:
        tell(3, 10)
        tell.line("step 3 of 10: loss 0.5; 7 s left", short="loss 0.5")
    return stderr.getvalue()


def test_a_line_is_printed_as_it_is_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, io.StringIO()) == "step 3 of 10: loss 0.5; 7 s left\n"


def test_a_line_stands_beside_the_bar_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    text = shown(monkeypatch, Terminal())
    assert "3/10" in text and "loss 0.5" in text and "step 3 of 10" not in text


def test_a_number_stands_with_its_noun_and_verb() -> None:
    told = [
        amount(1, "row"),
        amount(2000, "row"),
        amount(0.5, "epoch"),
        amount(1, "clip", "are"),
        amount(0, "row", "have"),
    ]
    assert told == ["1 row", "2,000 rows", "0.5 epochs", "1 clip is", "0 rows have"]


def test_nothing_is_shown_where_quiet_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    output.set_level(quiet=True)
    try:
        assert shown(monkeypatch, io.StringIO()) == ""
    finally:
        output.reset_level()


def test_long_work_is_told_without_a_terminal_where_nothing_else_was(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    told: list[str] = []
    lines = pace.PaceLines(lambda what, left_s: told.append(pace.with_left(what, left_s)), "rows", clock=lambda: now[0])
    for done in range(0, 2001, 20):  # one row a second
        if done == 500:
            lines.told()
        lines(done, 2000)
        now[0] += 20
    assert told[:2] == ["40 of 2,000 rows; 32 min 40 s left", "80 of 2,000 rows; 32 min 00 s left"]
    assert "520 of 2,000 rows; 24 min 40 s left" not in told
    assert told[-1].startswith("1,980 of")  # the result itself says that all is done
    monkeypatch.setattr(pace, "EVERY_S", 0.0)
    assert shown(monkeypatch, io.StringIO()) == "train: 3 of 10 steps\nstep 3 of 10: loss 0.5; 7 s left\n"
    with output.progress("fetch", total=None, unit="bytes") as tell:
        tell(1_500_000, None)
    assert sys.stderr.getvalue().endswith("fetch: 1.5 MB\n")
