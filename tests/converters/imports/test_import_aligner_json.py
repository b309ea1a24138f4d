"""The JSON of aligners onto stored samples: every form with its phones, and no word left out."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from triptych.converters.candidate import RawFile, Rejection
from triptych.converters.readers.alignments import aligner_json, librispeech
from triptych.converters.readers.alignments.interval import Aligned, AlignmentContext

Read = list[tuple[str, float, float]]

HELLO: Read = [("hello", 0.1, 0.4), ("world", 0.5, 0.9)]
PHONES: Read = [("HH", 0.1, 0.2), ("AH", 0.2, 0.4)]


def raw(name: str, data: bytes) -> RawFile:
    return RawFile(name, f"file:///{name}", "", len(data), lambda: io.BytesIO(data))


def read(document: Any, *, name: str = "u1.json", **context: Any) -> Aligned | Rejection:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    [found] = aligner_json.read([raw(name, data)], AlignmentContext(**context))
    return found


def tiers(document: Any, **given: Any) -> dict[str, Read]:
    found = read(document, **given)
    assert isinstance(found, Aligned), found
    return {
        kind: [(each.text, each.start_s, each.end_s) for each in intervals] for kind, intervals in found.tiers.items()
    }


def test_mfa() -> None:
    words = {"type": "interval", "entries": [[0.0, 0.1, ""], [0.1, 0.4, "hello"], [0.5, 0.9, "world"]]}
    phones = {"type": "interval", "entries": [[0.1, 0.2, "HH"], [0.2, 0.4, "AH"]]}
    document = {"start": 0, "end": 1.0, "tiers": {"words": words, "phones": phones}}
    assert tiers(document) == {"words": HELLO, "phones": PHONES}
    document["tiers"] = {"ann - words": words, "ann - phones": phones}
    assert tiers(document) == {"words": HELLO, "phones": PHONES}
    document["tiers"] = {"ORT": words, "words": phones}
    assert tiers(document, word_tier="ort") == {"words": HELLO}


def test_whisper_and_whisperx() -> None:
    words = [{"word": " hello", "start": 0.1, "end": 0.4, "score": 0.9}, {"word": "world", "start": 0.5, "end": 0.9}]
    segments = [{"start": 0.1, "end": 0.9, "text": "hello world", "words": words}]
    assert tiers({"segments": segments, "word_segments": words}) == {"words": HELLO}


def test_transformers() -> None:
    chunks = [{"text": f" {text}", "timestamp": span} for text, *span in HELLO]
    assert tiers({"text": " hello world", "chunks": chunks}) == {"words": HELLO}


def test_gentle() -> None:
    phones = [{"phone": "hh_B", "duration": 0.1}, {"phone": "ah_E", "duration": 0.2}]
    words = [
        {"case": "success", "word": "hello", "alignedWord": "hello", "start": 0.1, "end": 0.4, "phones": phones},
        {"case": "success", "word": "world", "start": 0.5, "end": 0.9, "phones": [{"phone": "w_S", "duration": 0.4}]},
    ]
    found = tiers({"transcript": "hello world", "words": words})
    assert found == {"words": HELLO, "phones": [("hh", 0.1, 0.2), ("ah", 0.2, 0.4), ("w", 0.5, 0.9)]}


def test_aeneas() -> None:
    fragments = [{"id": "f1", "begin": f"{a:.3f}", "end": f"{b:.3f}", "lines": [text]} for text, a, b in HELLO]
    assert tiers({"fragments": fragments}) == {"words": HELLO}
    sentence = {"begin": "0.000", "end": "1.000", "lines": ["hello world"], "children": fragments}
    assert tiers({"fragments": [sentence]}) == {"words": HELLO}


def test_pocketsphinx() -> None:
    phones = [{"t": text, "b": a, "d": round(b - a, 3)} for text, a, b in PHONES]
    silence = {"t": "<sil>", "b": 0.0, "d": 0.1, "w": [{"t": "SIL", "b": 0.0, "d": 0.1}]}
    words = [silence, {"t": "hello(2)", "b": 0.1, "d": 0.3, "w": phones}, {"t": "world", "b": 0.5, "d": 0.4, "w": []}]
    found = tiers({"b": 0.0, "d": 1.0, "t": "hello world", "w": words}, name="u1.phone.json")
    assert found == {"words": HELLO, "phones": [("SIL", 0.0, 0.1), *PHONES]}
    named = read({"w": words}, name="sub/u1.phone.json")
    assert isinstance(named, Aligned) and named.names == ("sub/u1.phone", "sub/u1", "u1.phone", "u1")


def test_the_stores_own() -> None:
    own = {key: [{"text": t, "start_s": a, "end_s": b} for t, a, b in rows] for key, rows in
           (("words", HELLO), ("phones", PHONES))}  # fmt: skip
    assert tiers(own) == {"words": HELLO, "phones": PHONES}


@pytest.mark.parametrize(
    ("reason", "said", "document"),
    [
        ("untimed_word", "'2014' has no time", {"segments": [{"words": [{"word": "2014"}]}]}),
        ("untimed_word", "'zembla' has no time", {"words": [{"word": "zembla", "case": "not-found-in-audio"}]}),
        ("untimed_word", "'end' has no time", {"chunks": [{"text": "end", "timestamp": [0.1, None]}]}),
        ("not_words", "times of words", {"segments": [{"start": 0.1, "end": 0.9, "text": "hello world"}]}),
        ("not_words", "'hello world'", {"chunks": [{"text": "hello world", "timestamp": [0.1, 0.9]}]}),
        ("not_words", "'hello world'", {"fragments": [{"begin": "0", "end": "1", "lines": ["hello world"]}]}),
        ("bad_row", "'soon'", {"words": [{"text": "a", "start": "soon", "end": 1}]}),
        ("bad_row", "nan", {"words": [{"text": "a", "start": float("nan"), "end": 1}]}),
        ("bad_row", "list of objects", {"words": ["hello"]}),
        ("bad_row", "[start, end, text]", {"tiers": {"words": {"entries": [[0.1, 0.2]]}}}),
        ("unknown_form", "'sentences'", {"sentences": []}),
        ("unknown_form", "list", [1]),
        ("bad_json", "u1.json", b"{"),
        ("not_utf8", "byte 1", b'"\xff"'),
    ],
)
def test_what_cannot_be_read_whole_is_refused(reason: str, said: str, document: Any) -> None:
    found = read(document)
    assert isinstance(found, Rejection) and found.reason == reason and said in found.detail, found


def test_a_chapter_of_librispeech_alignments() -> None:
    lines = b'1-2-0 ",HELLO,,WORLD," "0.1,0.4,0.5,0.9,1.2"\n\n1-2-1 "A,B" "0.1"\nnothing\n'
    first, *others = librispeech.read([raw("1-2.alignment.txt", lines)], AlignmentContext())
    assert isinstance(first, Aligned) and first.names == ("1-2-0",)
    assert [(each.text, each.start_s, each.end_s) for each in first.tiers["words"]] == [
        ("HELLO", 0.1, 0.4), ("WORLD", 0.5, 0.9)
    ]  # fmt: skip
    assert [(each.reason, each.candidate) for each in others if isinstance(each, Rejection)] == [
        ("bad_row", "1-2.alignment.txt:3"), ("bad_row", "1-2.alignment.txt:4")
    ]  # fmt: skip


@pytest.mark.shared
def test_real_files_of_pocketsphinx(shared: Path) -> None:
    folder = shared / "media/pocketsphinx/test/data/librivox"
    path = next(iter(sorted(folder.glob("*-0880.phone.json"))))
    found = tiers(path.read_bytes(), name=path.name)
    assert " ".join(text for text, *_ in found["words"]) == "he was not an ill disposed young man"
    assert found["phones"][:3] == [("SIL", 0.0, 0.21), ("HH", 0.21, 0.27), ("IY", 0.27, 0.33)]
