"""What `convert` writes is what its input says: a row has the sound that it states, or it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from triptych.converters.convert.inputs import READABLE
from truth.cases import SUITE, Case
from truth.intake import converted, lay_out
from truth.layouts import LAYOUTS
from truth.rows import EVERYWHERE, ROWS, compare

EMBEDDED = ("parquet", "hf", "lhotse in memory")
"""Layouts that contain their media, which a converted row cannot name."""

CASES = [
    case
    for case in SUITE
    if LAYOUTS[case.layout].format in READABLE
    and case.layout not in EMBEDDED
    and case.column == "audio"
    and case.media.form in ("wav", "mkv")
]
"""Files are named, not read: their form makes no difference."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_converted_row_has_the_sound_that_its_input_states_or_is_refused(case: Case, tmp_path: Path) -> None:
    layout, path = LAYOUTS[case.layout], lay_out(case, tmp_path / "in")
    for view, task in EVERYWHERE:
        if view != "unified" and not layout.prompted:
            continue
        rows = converted(case, path, tmp_path / "out.jsonl", view, task)
        assert list(compare(rows, case.utterances, case.media, show=ROWS[view, task], refusable=True)) == []
