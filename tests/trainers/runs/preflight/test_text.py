"""The report of a preflight for people."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from triptych.trainers.models.adapters import ComponentShare
from triptych.trainers.runs.preflight.findings import ERROR, WARNING, Finding, ordered
from triptych.trainers.runs.preflight.report import Preflight, Score
from triptych.trainers.runs.preflight.rows import ShownBatch, ShownRow, Stretch
from triptych.trainers.runs.preflight.text import text_of
from triptych.trainers.runs.result import RunPlan

ROW = ShownRow(id="talk/1", stretches=(
    Stretch(text="<|im_start|>user\n", tokens=2, is_trained=False, is_media=False),
    Stretch(text="sound: 3.2 s, 80 tokens", tokens=80, is_trained=False, is_media=True),
    Stretch(text="\x1b[31mWhat is said?" + " Say it." * 20, tokens=10, is_trained=False, is_media=False),
    Stretch(text="Twice.<|im_end|>", tokens=3, is_trained=True, is_media=False),
))  # fmt: skip
FOUND = Preflight(
    plan=RunPlan(
        export="talk@v1", model="models/m", rows=3, batches=2, steps=6, tokens=285, seconds=9.6, padding=0.0,
        left_out={"too_long": 2}, cut_seconds=0.0, components=(ComponentShare("language_model", 1000, 0, 7, 64),),
    ),
    device="cpu", dtype="fp32", epochs=3.0,
    batch=ShownBatch(rows=3, tokens=285, trained=9, media=240, padding=0.0, shown=(ROW,)),
    memory=None, step_time=None, audio_gap=None,
    scores=(Score(name="wer", value=0.5, low=0.25, high=0.75, rows=16),),
    findings=ordered([Finding(WARNING, "padding", "half of it is padding", "do this"),
                      Finding(ERROR, "overlap", "the same rows", "do that")]),
)  # fmt: skip


@pytest.mark.parametrize("width", [80, 120])
def test_trained_text_is_green_on_a_terminal_and_in_brackets_elsewhere(width: int) -> None:
    plain, coloured = text_of(FOUND, width=width), text_of(FOUND, width=width, is_coloured=True)
    assert "[[Twice.<|im_end|>]]" in plain
    assert "\x1b" not in plain
    assert "\x1b[32mTwice.<|im_end|>\x1b[0m" in coloured
    assert "[[Twice" not in coloured
    assert "\x1b[31m" not in coloured  # what the data has is escaped
    assert "\\x1b[31mWhat" in plain
    assert "<sound: 3.2 s, 80 tokens>" in plain
    for text in (plain, coloured):
        assert all(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= width for line in text.splitlines())


def test_errors_come_first_and_everything_is_told() -> None:
    text = text_of(FOUND)
    assert [each.level for each in FOUND.findings] == [ERROR, WARNING]
    assert "2 rows left out (2 too_long)" in text
    assert "wer 0.500 (95 %: 0.250 to 0.750) on 16 rows" in text
    assert text.index("the same rows") < text.index("half of it is padding")
    assert "1 error and 1 warning. The run must not begin like this." in text
    assert "Nothing was found" in text_of(replace(FOUND, findings=()))
