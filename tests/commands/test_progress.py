"""What is shown of a command that takes long: a bar on a terminal, elsewhere the lines that it tells."""

from __future__ import annotations

import io

import pytest
from triptych.commands import output


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


def test_nothing_is_shown_where_quiet_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    output.set_level(quiet=True)
    try:
        assert shown(monkeypatch, io.StringIO()) == ""
    finally:
        output.reset_level()
