"""Text without a UTF-8 encoding (unpaired surrogates), and files directly under `/`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import triptych
from support.stores import check_accounts, select
from support.tables import RECORDS, TWO, load, rows, write
from triptych.converters.readers.tables.absent_files import Absences
from triptych.errors import UsageError

SURROGATES: dict[str, tuple[str, str]] = {
    "a text": ('{"audio":"wav/0.flac","text":"x \\ud800 y"}', "column 'text'"),
    "an id": ('{"audio":"wav/0.flac","id":"\\ud800"}', "column 'id'"),
    "a column of its own": ('{"audio":"wav/0.flac","note":"\\ud800"}', "column 'note'"),
    "the name of a column": ('{"audio":"wav/0.flac","n\\ud800":"x"}', "column 'n\\ud800'"),
    "a list": ('{"audio":"wav/0.flac","labels":["\\ud800"]}', "column 'labels'"),
    "a message": ('{"audio":"wav/0.flac","messages":[{"role":"user","content":"\\ud800"}]}', "column 'messages'"),
    "the id of a row whose file is missing": ('{"audio":"wav/none.flac","id":"a\\ud800"}', "none.flac: No such file"),
}


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_an_unpaired_surrogate_rejects_its_row_by_column(clips: Path, form: str) -> None:
    good = [json.dumps(record) for record in RECORDS]
    lines = [good[0], *(line for line, _ in SURROGATES.values()), good[1]]
    table = "\n".join(lines) if form == "jsonl" else f"[{','.join(lines)}]"
    done = load(form, write(clips, f"t.{form}", table))
    assert rows(clips) == TWO
    assert dict(done.account.dropped) == {"missing_media": 1, "bad_value": len(SURROGATES) - 1}
    events = select(clips / "store", "select candidate, detail, reason from events")
    assert len(events) == len(SURROGATES)
    for case, (_, named) in SURROGATES.items():
        [event] = [each for each in events if named in each["detail"]]
        assert event["reason"] == ("missing_media" if "missing" in case else "bad_value")
        assert "ud800" in event["detail"] + event["candidate"]
    check_accounts(clips / "store")
    load(form, write(clips, f"t.{form}", table))
    assert len(select(clips / "store", "select * from events")) == len(SURROGATES)


def test_an_annotation_with_an_unpaired_surrogate_is_refused(clips: Path) -> None:
    load("jsonl", write(clips, "t.jsonl", json.dumps(RECORDS[0])))
    for fact in (("mine/all/a", "note", "\ud800"), ("mine/all/a", "\ud800", "x"), ("mine/all/\ud800", "note", "x")):
        with pytest.raises(UsageError, match="unpaired surrogate"):
            triptych.annotate(*fact, store=clips / "store")


def test_a_file_directly_under_the_root_folder_is_not_missing() -> None:
    entry = next(path for path in Path("/").iterdir() if path.exists())
    absences = Absences()
    assert not absences.has(str(entry))
    assert not absences.has(str(entry))
    assert absences.has("/no-such-folder/a.wav")
