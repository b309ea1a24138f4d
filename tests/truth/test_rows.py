"""What a row says is what its media is: every layout, form, spelling and channel, through a store and every view."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from truth.cases import SUITE, Case, group, product
from truth.intake import Intake, bring_in
from truth.layouts import LAYOUTS
from truth.rows import ROWS, UNASKED, compare, views_of


@pytest.fixture(scope="module")
def intake_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Case], Intake]:
    """The store that a case is in; a store is made when its first case is tested, for all of its cases."""
    made: dict[tuple[Case, ...], Intake] = {}

    def intake(case: Case) -> Intake:
        cases = group(case)
        if cases not in made:
            made[cases] = bring_in(cases, tmp_path_factory.mktemp("truth"))
        return made[cases]

    return intake


@pytest.mark.parametrize("case", SUITE, ids=lambda case: case.name)
def test_each_row_of_each_view_has_the_sound_and_the_film_that_it_states(
    case: Case, intake_of: Callable[[Case], Intake]
) -> None:
    assert problems(case, intake_of(case)) == []


@pytest.mark.thorough
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_form_spelling_and_channel_of_a_layout(layout: str, tmp_path: Path) -> None:
    cases = [case for case in product() if case.layout == layout]
    found: dict[str, list[str]] = {}
    for first in range(0, len(cases), 12):
        part = cases[first : first + 12]
        intake = bring_in(part, tmp_path / str(first))
        found |= {case.name: faults for case in part if (faults := problems(case, intake))}
    assert found == {}


def problems(case: Case, intake: Intake) -> list[str]:
    """What is wrong with a case, in any view."""
    if case in intake.refused:
        return [intake.refused[case]]
    layout, found = LAYOUTS[case.layout], []
    for view, task in views_of(case):
        if (view, task) not in UNASKED and not layout.prompted:
            assert intake.rows((view, task), case) == []
            continue
        rows = intake.rows((view, task), case)
        faults = compare(rows, case.utterances, case.media, show=ROWS[view, task])
        found += [f"{view} {task or ''}: {fault}" for fault in faults]
    if not found:
        return []
    return found + [f"dropped: {reason}: {detail}" for reason, detail in intake.reasons(case).items()]
