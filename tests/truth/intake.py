"""Bring cases into one store, export every view of it once, and convert every file: what the tests then compare."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import triptych
import yaml
from support.stores import select
from triptych.errors import ProblemsFound, TriptychError
from truth.cases import Case
from truth.forms import FORMS
from truth.layouts import LAYOUTS, Corpus, Layout
from truth.rows import OPTIONS, PAIRED, REASONED, REASONING, REJECTED, UNASKED, Row, views_of

CARD: Mapping[str, Any] = {
    "title": "Truth", "panel": "S1", "modality": "audio", "tasks": ["asr"], "languages": ["en"], "license": "CC0-1.0",
    "splits": {"train": "train"},
}  # fmt: skip
_MIXED = {"panel": "S3", "modality": "mixed", "tasks": ["captioning"]}


@dataclass
class Intake:
    """One store with all cases.

    Attributes:
        refused: Case -> message, for imports that raised.
        exports: View and task -> rows by dataset.
    """

    folder: Path
    refused: dict[Case, str] = field(default_factory=dict)
    paths: dict[Case, Path] = field(default_factory=dict)
    exports: dict[tuple[str, str | None], dict[str, list[Row]]] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def rows(self, view: tuple[str, str | None], case: Case) -> list[Row]:
        return self.exports[view].get(case.name, [])

    def reasons(self, case: Case) -> dict[str, str]:
        """Reason -> detail of all candidates of a case that were not kept, in any stage."""
        sql = f"select reason, detail from events where dataset = '{case.name}' order by all"
        return {row["reason"]: row["detail"] for row in select(self.store, sql)}


def bring_in(cases: Collection[Case], folder: Path) -> Intake:
    """Lay out every case and take it into the store; then export all views."""
    intake = Intake(folder)
    for case in cases:
        path = intake.paths[case] = lay_out(case, folder / case.name)
        try:
            _take(case, LAYOUTS[case.layout], path, intake)
        except TriptychError as error:
            intake.refused[case] = str(error)
    prompted = any(LAYOUTS[case.layout].prompted for case in cases if case not in intake.refused)
    reasoned = paired = False
    for view, task in dict.fromkeys(each for case in cases for each in views_of(case)):
        options = OPTIONS.get((view, task), {}) | ({} if task is None else {"task": task})
        if (view, task) in REASONED and not reasoned:
            ids = select(intake.store, "select id from samples order by id")
            reasoned = triptych.annotate([(row["id"], "reasoning", REASONING) for row in ids], store=intake.store) > 0
        if (view, task) in PAIRED and not paired:
            ids = [row["id"] for row in select(intake.store, "select id from samples order by id")]
            facts = [(each, key, value) for each in ids for key, value in REJECTED.items()]
            paired = triptych.annotate(facts, store=intake.store) > 0
        if (view, task) not in UNASKED and not prompted:
            with pytest.raises(ProblemsFound, match="no_prompt"):
                triptych.export(view, store=intake.store, include_rejected=True, **options)
            intake.exports[view, task] = {}
            continue
        done = triptych.export(view, store=intake.store, include_rejected=True, **options)
        by_dataset: defaultdict[str, list[Row]] = defaultdict(list)
        for row in _lines(done.version.data):
            by_dataset[row["id"].partition("/")[0]].append(row)
        intake.exports[view, task] = by_dataset
    return intake


def lay_out(case: Case, folder: Path) -> Path:
    """Write the files of a case; returns the path to read."""
    layout = LAYOUTS[case.layout]
    corpus = Corpus(folder, case.utterances, case.media, case.spelling, case.column, layout.channel_column)
    folder.mkdir(parents=True, exist_ok=True)
    return layout.write(corpus)


def _take(case: Case, layout: Layout, path: Path, intake: Intake) -> None:
    if layout.format is not None:
        values = {"task": "asr" if case.column == "audio" else "captioning"}
        triptych.import_data(layout.format, path, name=case.name, store=intake.store, values=values, **layout.options)
        return
    cards = intake.folder / "cards"
    cards.mkdir(exist_ok=True)
    own = {"name": case.name, **CARD, **(_MIXED if FORMS[case.media.form].film else {})}
    if layout.split is not None:
        own["splits"] = {layout.split: "train"}
    spans = {name: {"column": name} for name in ("start_s", "end_s")} if case.what == "parts" else {}
    source = {"manual": "made here", "reader": {layout.reader: layout.options_of(spans)}}
    (cards / f"{case.name}.yaml").write_text(yaml.safe_dump({**own, "sources": [source]}))
    triptych.pull(case.name, store=intake.store, cards=(cards,), from_path=path)


def converted(case: Case, path: Path, out: Path, view: str, task: str | None) -> list[Row]:
    """The rows of a case that lies in `path` in a view, without a store."""
    out.unlink(missing_ok=True)  # what another view left
    format = LAYOUTS[case.layout].format
    assert format is not None
    try:
        values = {"task": "asr"} | (REJECTED if (view, task) in PAIRED else {})
        triptych.convert(format, path, out, to=view, task=task, values=values, force=True)
    except ProblemsFound:
        return []
    return list(_lines(out)) if out.exists() else []


def _lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)
