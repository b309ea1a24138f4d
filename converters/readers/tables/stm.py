"""Rows of NIST's segment time marks, the references of TED-LIUM and of many evaluations.

    ;; a comment
    AlGore_2009 1 AlGore_2009 17.82 28.81 <o,f0,male> thank you so much
    AlGore_2009 1 inter_segment_gap 0.00 17.82 <o,,unknown> ignore_time_segment_in_scoring
    911Mothers_2010W 1 911Mothers_2010W 14.95 16.19 <NA> <unk> because of

Columns: recording, channel, speaker, start, end, label (without the angle brackets; null if there is none) and text. A
label has commas, except in TED-LIUM: `<F0_M>`, `<F0_F>`, and `<NA>` (none), which its third release has. Any
other tag, such as `<unk>`, is a word of the text.
Times are seconds in the recording; a line whose times are no numbers, or which lacks one, is rejected as `bad_row`.
"""

from __future__ import annotations

from typing import BinaryIO

from .cells import Place, Row, Rows, clock_seconds

COLUMNS = ("recording", "channel", "speaker", "start", "end", "label", "text")
_BOM = b"\xef\xbb\xbf"
_NO_LABEL = "<NA"


def read_stm(stream: BinaryIO, place: Place) -> Rows:
    """The segments of one file."""
    for number, raw in enumerate(stream, start=1):
        line = raw.removeprefix(_BOM)
        if not line.strip() or line.lstrip().startswith(b";;"):
            continue
        try:
            # Bytes split at ASCII whitespace only: a no-break space is part of a word.
            cells = [cell.decode() for cell in line.split(None, 5)]
        except UnicodeDecodeError as error:
            yield place.rejection(number, "not_utf8", f"byte {error.start}: {raw[:40]!r}")
            continue
        if len(cells) < 5 or any(clock_seconds(cell) is None for cell in cells[3:5]):
            detail = f"expected recording, channel, speaker, start, end, got {raw[:80]!r}"
            yield place.rejection(number, "bad_row", detail)
            continue
        label, text = _parted(cells[5].strip() if len(cells) > 5 else "")
        values = [*cells[:5], label, text]
        yield Row(dict(zip(COLUMNS, values, strict=True)), f"{place.uri}:{number}")


def _parted(rest: str) -> tuple[str | None, str | None]:
    """The label and the text of what follows the times."""
    tag, end, text = rest.partition(">")
    if not end or not tag.startswith("<") or not (tag == _NO_LABEL or tag.startswith("<F0_") or "," in tag):
        return None, rest or None
    label = None if tag == _NO_LABEL else tag[1:].strip() or None
    return label, text.strip() or None
