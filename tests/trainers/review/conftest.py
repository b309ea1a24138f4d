"""A store with an export of questions about sounds, and a file of a model's answers to it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported
from triptych.trainers.review.answers import COLUMNS

HOSTILE = '</script><script>alert(1)</script><img src=x onerror=alert(2)> & "quoted" \u202eright to left\u202c \x00 end'
REFERENCES = ["cat", "dog", HOSTILE, "النص العربي", "二零二六", "bird", "cow", "hen", "pig", "goat", "duck", "ewe"]


@dataclass(frozen=True)
class Answered:
    """A store, and predictions of ten of the twelve rows of its export `evaluation-list`, one of them an error."""

    store: Path
    pred: Path
    ids: tuple[str, ...]

    def make(self, out: Path, **options: Any) -> Any:
        return triptych.review_make("evaluation-list", pred=self.pred, out=out, store=self.store, **options)


@pytest.fixture(scope="package")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Answered:
    folder = tmp_path_factory.mktemp("review")
    rows = imported.speech_rows(folder / "in", len(REFERENCES))
    rows = [{**row, "text": text} for row, text in zip(rows, REFERENCES, strict=True)]
    store = imported.bring_in(folder / "store", "speech", rows, folder)
    triptych.export("evaluation", store=store)
    asked = list(imported.read_lines(store / "exports/evaluation-list/v1/data.jsonl"))
    lines = []
    for number, row in enumerate(asked[:10]):
        said = f"<think>\nthought {number}\n</think>\n\n<RESPONSE>{row['gt']}</RESPONSE>" if number % 2 else row["gt"]
        lines.append(
            {"id": row["id"], "audio": row["audio"], "prediction": said, "model": "tiny", "number": number % 3}
        )
    lines[9] = {"id": asked[9]["id"], "error": "out of memory"}
    pred = imported.table(folder / "pred.jsonl", lines)
    return Answered(store, pred, tuple(row["id"] for row in asked))


def data_of(page: Path) -> Any:
    """What a page shows, as its script reads it."""
    text = page.read_text(encoding="utf-8")
    return json.loads(text.split('<script type="application/json" id=data>')[1].split("</script>")[0])


def review(
    path: Path, page: Path, reviewer: str, said: Mapping[str, Any], *, keep: Iterable[str] | None = None
) -> Path:
    """Write what the page saves: `said` is id -> verdict, or (verdict, note, time)."""
    data = data_of(page)
    lines = [[*COLUMNS[:4], f"by:{data['by']}" if data["by"] else "by", *COLUMNS[4:]]]
    for row in data["rows"]:
        if keep is None or row["id"] in keep:
            given = said.get(row["id"], "")
            verdict, note, time = (given, "", "2026-11-28T10:00:00.000Z") if isinstance(given, str) else given
            lines.append([data["page"], row["id"], row["sample"], row["of"], row["by"], verdict, note, reviewer, time])
    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows(lines)
    path.write_text("\ufeff" + written.getvalue(), encoding="utf-8", newline="")
    return path
