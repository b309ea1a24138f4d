"""What the rows of a view show: one entry per view and task, and how rows are compared with the utterances of a case.

A new view is one line in `ROWS`: `test_registry.py` fails until it has one for each of its tasks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from truth.cases import ONE, Case
from truth.forms import FORMS
from truth.utterances import Media, Utterance, faults, named

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Shown:
    """What a row shows to a model, or to a reader of the file."""

    text: str | None
    audio: Path | None
    video: Path | None


def _unified(row: Row) -> Shown:
    return Shown(row["text"], _path(row["audio"]), _path(row["video"]))


def _answer(row: Row) -> Shown:
    turns = row["messages"]
    assert turns[-1]["role"] == "assistant", turns
    return Shown(turns[-1]["content"], _only(row, "audios"), _only(row, "videos"))


def _solution(row: Row) -> Shown:
    assert row["messages"][-1]["role"] == "user", row["messages"]
    return Shown(row["solution"], _only(row, "audios"), _only(row, "videos"))


def _reference(row: Row) -> Shown:
    return Shown(row["gt"], _path(row["audio"]), None)


def _response(row: Row) -> Shown:
    assert row["messages"][-1]["content"].endswith(f"</think>\n\n<RESPONSE>\n{row['answer']}\n</RESPONSE>"), row
    return Shown(row["answer"], _only(row, "audios"), _only(row, "videos"))


def _untagged(row: Row) -> Shown:
    shown = _answer(row)
    assert len(row["messages"]) == 1 and shown.text is not None
    return replace(shown, text=re.sub("^(<audio>|<video>)+", "", shown.text))


def _liked(row: Row) -> Shown | None:
    return _answer(row) if row["label"] else None


def _preferred(row: Row) -> Shown:
    [turn] = row["chosen"]
    return _answer({**row, "messages": [*row["prompt"], turn]})


def _conversation(row: Row) -> Shown:
    (path,) = [row["audio"]] if isinstance(row["audio"], str) else row["audio"]
    assert row["conversations"][-1]["from"] == "gpt", row
    assert sum(turn["value"].count("<audio>") for turn in row["conversations"]) == 1, row
    return Shown(row["conversations"][-1]["value"], Path(path), None)


def _llamafactory(row: Row) -> Shown:
    turns = [{"role": turn["from"], "content": turn["value"]} for turn in row["conversations"]]
    assert turns[-1]["role"] == "gpt", row
    shown = row | {"messages": turns}
    return Shown(turns[-1]["content"], _only(shown, "audios"), _only(shown, "videos"))


def _urls(row: Row) -> Shown:
    question, answer = row["messages"]
    urls = {part["type"]: part[part["type"]]["url"] for part in question["content"] if part["type"] != "text"}
    assert len(urls) == len(question["content"]) - 1, row
    paths = {kind: Path(unquote(url.removeprefix("file://"))) for kind, url in urls.items()}
    return Shown(answer["content"], paths.get("audio_url"), paths.get("video_url"))


def _typed(row: Row) -> Shown:
    question, answer = row["messages"]
    paths = {part["type"]: Path(part[part["type"]]) for part in question["content"] if part["type"] != "text"}
    [said] = answer["content"]
    assert len(paths) == len(question["content"]) - 1 and row["tokens"] > 0, row
    return Shown(said["text"], paths.get("audio"), paths.get("video"))


def _path(value: str | None) -> Path | None:
    return Path(value) if value else None


def _only(row: Row, column: str) -> Path | None:
    paths = row.get(column) or []
    tags = sum(turn["content"].count(f"<{column.removesuffix('s')}>") for turn in row["messages"])
    assert len(paths) == tags <= 1, f"{tags} tags for {column} {paths}"
    return Path(paths[0]) if paths else None


def _listed(row: Row) -> Shown:
    audios, videos = row.get("audios") or [None], row.get("videos") or [None]
    assert len(audios) == len(videos) == 1, (audios, videos)
    return Shown(row.get("text"), _path(audios[0]), _path(videos[0]))


def _embedded(row: Row) -> Shown:
    return Shown(row.get("text"), _path(row.get("audio")), _path(row.get("video")))


def _recording(row: Row) -> Shown:
    return Shown(row.get("text"), _path(row["audio"]), None)


ROWS: dict[tuple[str, str | None], Callable[[Row], Shown | None]] = {
    ("unified", None): _unified,
    ("msswift", "sft"): _answer,
    ("msswift", "pretrain"): _untagged,
    ("msswift", "grpo"): _solution,
    ("nemo", None): _recording,
    ("kaldi", None): _recording,
    ("lhotse", None): _recording,
    ("webdataset", None): _listed,
    ("hf", None): _embedded,
    ("croissant", None): _unified,
    ("evaluation", None): _reference,
    ("conversation", None): _conversation,
    ("llamafactory", None): _llamafactory,
    ("messages", None): _urls,
    ("calibration", None): _typed,
    ("msswift", "dpo"): _answer,
    ("msswift", "kto"): _liked,
    ("preference", None): _preferred,
    ("cot", None): _response,
}
"""View and task -> what a row of it shows; None if something else. Those of `PAIRED` and `REASONED` come last."""

OPTIONS: dict[tuple[str, str | None], dict[str, Any]] = {
    ("evaluation", None): {"prompt_language": "en"},
}
"""Options of an export that has a row of every sample: an evaluation asks in a language."""

REASONED = {("cot", None)}
"""Those that have only samples with a reasoning: it is annotated when all others are exported."""
REASONING = "First this, then that."

PAIRED = {("msswift", "dpo"), ("msswift", "kto"), ("preference", None)}
"""Those that have only samples with a rejected answer: it is annotated when all others are exported."""
REJECTED = {"rejected": "Something else.", "dimension": "factuality"}


UNASKED = {("unified", None), ("msswift", "pretrain")}
"""Those whose rows need no prompt."""

EVERYWHERE = (("unified", None), ("msswift", "sft"), ("msswift", "grpo"))
"""These are tried on every case: all views select from the same prepared samples. The others are tried on `ONE`."""
SOUND_ONLY = frozenset({"nemo", "kaldi", "lhotse", "evaluation", "conversation"})


def views_of(case: Case) -> Iterator[tuple[str, str | None]]:
    """The views that a case is tried in, with their tasks."""
    for view, task in ROWS:
        if view in SOUND_ONLY and FORMS[case.media.form].film:
            continue
        if case.layout == ONE or (view, task) in EVERYWHERE:
            yield view, task


OF_ALIGNMENTS = {("term-chunks", None), ("phoneme", None)}
"""Views of samples with word or phone times, which the cases have not; tests/converters/views has theirs."""


WITHOUT_MEDIA = {("features", None)}
"""Views whose rows name no media; tests/converters/features compares the numbers that they hold instead."""


def compare(
    rows: Iterable[Row],
    utterances: tuple[Utterance, ...],
    media: Media,
    *,
    show: Callable[[Row], Shown | None],
    refusable: bool = False,
) -> Iterator[str]:
    """What is wrong with the rows of a case; nothing if each utterance has its row, and each row its utterance.

    With `refusable` a part of a file may have no row: a refusal is not a wrong row. A whole file must have one.
    """
    open_ = named(utterances)
    for row in rows:
        shown = show(row)
        if shown is None:
            continue
        utterance = open_.pop(shown.text or "", None)
        if utterance is None:
            yield f"a row with the text {shown.text!r}, which no utterance has, or one before it had"
            continue
        for fault in faults(utterance, media, audio=shown.audio, video=shown.video):
            yield f"{utterance.name}: {fault}"
    yield from (f"{each.name}: no row" for each in open_.values() if each.is_whole or not refusable)
