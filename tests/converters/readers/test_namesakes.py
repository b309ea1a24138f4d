"""Two versions of a table in one folder: which rows count is told, and copies are not mentioned."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.natives import unpacked
from support.raws import Stream, read, reasons, tree


def test_a_class_keeps_its_first_name_and_another_one_is_refused() -> None:
    files = Stream({
        "classes.csv": "mid,name\n/m/1,Dog\n/m/2,Cat\n", "new/classes.csv": "mid,name\n/m/1,Hound\n/m/2,Cat\n",
        "rows.csv": "file,mids\na.wav,/m/1\n", "a.wav": b"A",
    })  # fmt: skip
    options = {"tables": [{"file": "classes.csv", "names": "classes", "key": "mid", "value": "name"},
                          {"file": "rows.csv"}], "media": {"audio": "{file}"}, "id": "file",
               "columns": {"labels": {"column": "mids", "split": ",", "names": "classes"}}}  # fmt: skip
    [candidate], [rejection] = read("annotated", files, options)
    assert candidate.fields["labels"] == ["Dog"]
    assert rejection.reason == "ambiguous_row" and "/m/1 is 'Hound' here, and 'Dog' before" in rejection.detail


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ("file,text\na.wav,older\n",
         ["new/train.csv and old/train.csv are the same table, and differ: of rows of one id, the first counts"]),
        ("file,text\na.wav,text\n", []),
    ],
)  # fmt: skip
def test_two_versions_of_the_table_of_a_split(tmp_path: Path, other: str, told: list[str]) -> None:
    folder = unpacked(tmp_path, {
        "new/train.csv": b"file,text\na.wav,text\n", "new/test.csv": b"file,text\nb.wav,of test\n",
        "old/train.csv": other.encode(), "wav/a.wav": b"A", "wav/b.wav": b"B",
    })  # fmt: skip
    options = {"tables": [{"file": "{split}.csv"}], "media": {"audio": "{file}"}, "id": "file",
               "columns": {"text": "text"}}  # fmt: skip
    files = tree(folder)
    notes: list[str] = []

    def listing() -> list[tuple[str, Path]]:
        return [(file.name, file.path) for file in files if file.path is not None]

    candidates, rejections = read("annotated", files, options, listing=listing, note=notes.append)
    assert {c.source_id: c.fields["text"] for c in candidates} == {"a.wav": "text", "b.wav": "of test"}
    assert reasons(rejections) == [("a.wav", "duplicate_source_id")]
    assert notes == told
