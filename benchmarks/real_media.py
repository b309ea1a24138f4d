"""A store of real media, with what every view needs: pairs, conversations, chains, words and phones.

    librispeech, aishell1   utterances, pulled as cards say; some with a worse transcript as `rejected`
    sounds                  Clotho's clips with their five captions; the captions of another clip as `rejected`
    loud, mute              videos with and without sound; the text of another video as `rejected`
    talks                   conversations about one sound, two or none, with and without a system message
    reasoned                Clotho's clips with a question, choices, an answer and a chain of four sections
    librivox                LibriVox with the words and phones of PocketSphinx

Media and captions are real. Rejected answers, conversations, questions and chains are made from them by rule.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import triptych
import yaml

Row = dict[str, Any]

TERMS = ("amiable woman", "young man", "ill disposed", "cold hearted", "respectable")
"""The glossary of `term-chunks`: what is said in the passages of LibriVox."""


def fill(work: Path, data: Path) -> Path:
    """Make the store in a folder, and the glossary `terms.txt` beside it; returns the store."""
    store = work / "store"
    for name in ("librispeech", "aishell1"):
        triptych.pull(name, store=store, mirror=str(data / "mirror"))
    videos = list(_videos(data))
    clips = list(_clips(data))
    _bring_in(store, work, "sounds", clips)
    _bring_in(store, work, "loud", (row for row, has_sound in videos if has_sound))
    _bring_in(store, work, "mute", (row for row, has_sound in videos if not has_sound))
    _bring_in(store, work, "reasoned", map(_reasoned, clips))
    speech = sorted((data / "media/librispeech").rglob("*.flac"))[:20]
    _bring_in(store, work, "talks", _talks([*map(str, speech), *(clip["audio"] for clip in clips)]), "msswift")
    spoken = data / "media/pocketsphinx/test/data/librivox"
    _bring_in(store, work, "librivox", _passages(spoken))
    triptych.import_data("aligner-json", spoken, name="librivox", store=store)
    for name in ("librispeech", "aishell1", "sounds", "loud"):
        table = _write(work / f"{name}-predictions.jsonl", _worse(store, name))
        triptych.import_data("predictions", table, name=name, meant_as="rejected", producer="a rule", store=store)
    (work / "terms.txt").write_text("".join(f"{term}\n" for term in TERMS), encoding="utf-8")
    return store


def _write(path: Path, rows: Iterable[Row]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def _bring_in(store: Path, work: Path, name: str, rows: Iterable[Row], format: str = "jsonl") -> None:
    triptych.import_data(format, _write(work / f"{name}.jsonl", rows), name=name, store=store)


def _clips(data: Path) -> Iterator[Row]:
    """Clotho's clips with their five captions."""
    for table in sorted((data / "media/clotho").glob("clotho_captions_*.csv")):
        folder = table.parent / table.stem.removeprefix("clotho_captions_")
        with table.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                path = folder / row["file_name"]
                if path.is_file():
                    captions = [row[f"caption_{number}"] for number in range(1, 6)]
                    yield {"id": path.stem, "audio": str(path), "captions": captions, "task": "aac", "split": "train"}


def _reasoned(clip: Row) -> Row:
    """A clip with a question, and a chain that comes to its answer."""
    heard, *others = clip["captions"]
    sections = {"PLANNING": "Listen for the source of the sound.", "CAPTION": heard, "REASONING": others[0],
                "SUMMARY": others[1]}  # fmt: skip
    return {
        "id": clip["id"],
        "audio": clip["audio"],
        "question": "What is heard?",
        "choices": [heard, "Nothing but silence."],
        "answer": heard,
        "reasoning": "\n".join(f"<{name}>\n{text}\n</{name}>" for name, text in sections.items()),
        "task": "qa",
        "split": "train",
    }


def _talks(sounds: list[str]) -> Iterator[Row]:
    """Conversations in MS-SWIFT's form: about one sound, about two in two turns, about none."""
    for number, (first, second) in enumerate(zip(sounds, [*sounds[1:], *sounds[:1]], strict=True)):
        turns = [("user", "<audio>What is this?"), ("assistant", f"Recording {number}.")]
        audios = [first]
        if number % 3 == 1:
            turns += [("user", "And <audio>?"), ("assistant", "Another one.")]
            audios = [first, second]
        if number % 3 == 2:
            turns, audios = [("user", f"How much is {number} and 1?"), ("assistant", f"{number + 1}")], []
        if number % 2:
            turns = [("system", "Answer in a few words."), *turns]
        messages = [{"role": role, "content": content} for role, content in turns]
        yield {"id": f"talk{number:02d}", "messages": messages, **({"audios": audios} if audios else {})}


def _videos(data: Path) -> Iterator[tuple[Row, bool]]:
    """Videos that decode, and whether they have sound."""
    listed = yaml.load((data / "media/MANIFEST.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    for entry in listed["files"]:
        kinds = {stream.get("type") for stream in entry.get("streams") or ()}
        if "video" in kinds and "odd_files" not in entry["path"]:
            text = entry.get("caption") or entry.get("label") or "a clip"
            path = data / "media" / entry["path"]
            row = {"id": entry["path"].replace("/", "-"), "video": str(path), "text": text, "task": "captioning"}
            yield row | {"split": "train"}, "audio" in kinds


def _passages(folder: Path) -> Iterator[Row]:
    """Passages of LibriVox with what is read."""
    for path in sorted(folder.glob("*.wav")):
        text = path.with_suffix(".txt").read_text(encoding="utf-8").strip()
        yield {"id": path.stem, "audio": str(path), "text": text, "language": "en", "task": "asr", "split": "train"}


def _worse(store: Path, name: str) -> Iterator[Row]:
    """A worse answer to every sample: a transcript without its third words or characters, else another one's answer."""
    query = f"SELECT id, task, language, text, captions FROM samples WHERE dataset = '{name}' ORDER BY id"
    rows = triptych.query(query, store=store).to_pylist()
    for row, other in zip(rows, [*rows[1:], *rows[:1]], strict=True):
        if row["task"] == "asr":
            units = row["text"].split() if (row["language"] or "").startswith("en") else [*row["text"]]
            joint = " " if (row["language"] or "").startswith("en") else ""
            worse = joint.join(unit for number, unit in enumerate(units) if number % 3 != 2 or len(units) < 3)
        else:
            worse = other["captions"][0] if other["captions"] else other["text"]
        yield {"id": row["id"], "prediction": worse}
