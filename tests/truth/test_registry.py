"""Every reader, import format and view has a case of truth: a new one is in it by being registered."""

from __future__ import annotations

from triptych.converters.imports.alignments import READERS as ALIGNMENTS
from triptych.converters.imports.formats import FORMATS
from triptych.converters.readers import READERS
from triptych.converters.views import VIEWS
from truth.cases import SUITE
from truth.forms import FORMS
from truth.layouts import LAYOUTS
from truth.rows import OF_ALIGNMENTS, ROWS, WITHOUT_MEDIA
from truth.spellings import SPELLINGS


def test_every_reader_has_a_layout() -> None:
    missing = READERS.keys() - {layout.reader for layout in LAYOUTS.values()}
    assert not missing, f"add to LAYOUTS in tests/truth/layouts.py a function that lays out a corpus for {missing}"


def test_every_import_format_has_a_layout() -> None:
    formats = {name for name, spec in FORMATS.items() if not spec.aligns}
    missing = formats - {layout.format for layout in LAYOUTS.values()}
    assert not missing, f"add to LAYOUTS in tests/truth/layouts.py a function that writes {missing}"


def test_every_alignment_format_has_a_case() -> None:
    from truth.test_alignments import WRITERS

    missing = ALIGNMENTS.keys() - WRITERS.keys()
    assert not missing, f"add to WRITERS in tests/truth/test_alignments.py a function that writes {missing}"


def test_every_view_says_what_its_rows_show() -> None:
    wanted = {(name, task) for name, view in VIEWS.items() for task in view.tasks or (None,)}
    missing = wanted - ROWS.keys() - OF_ALIGNMENTS - WITHOUT_MEDIA
    assert not missing, f"add to ROWS in tests/truth/rows.py a function that says what a row shows for {missing}"


def test_every_layout_form_and_spelling_is_in_the_suite() -> None:
    assert LAYOUTS.keys() == {case.layout for case in SUITE}
    assert FORMS.keys() == {case.media.form for case in SUITE}
    assert SPELLINGS.keys() == {case.spelling for case in SUITE}
    assert len({case.name for case in SUITE}) == len(SUITE)
    for name, layout in LAYOUTS.items():
        sets = {case.what for case in SUITE if case.layout == name}
        assert "channels" in sets or not layout.channels
        assert "parts" in sets or not layout.spans
