"""Words and their times: spoken by espeak-ng, which says when; through every format of alignments, back to the sound.

One recording, and two utterances cut from it. However the words come into the store, each is in its utterance, at the
second of the recording at which it was spoken; cut out by those times it is that piece of the recording, to the bit.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import triptych
from support.imported import bring_in, read_lines, table
from support.stores import select
from triptych.catalog.sources.synthetic.source import SyntheticSource

Word = tuple[str, float, float]


@dataclass(frozen=True)
class Speech:
    """A recording, its words, and the second at which its second utterance begins."""

    path: Path
    sound: np.ndarray
    words: list[Word]
    turn_s: float

    @property
    def length_s(self) -> float:
        return len(self.sound) / 16_000

    def utterances(self) -> dict[str, tuple[float, float, list[Word]]]:
        """Start, end and words of each, in seconds of the recording."""
        spans = {"first": (0.0, self.turn_s), "second": (self.turn_s, self.length_s)}
        return {name: (start_s, end_s, [word for word in self.words if start_s <= word[1] < end_s])
                for name, (start_s, end_s) in spans.items()}  # fmt: skip


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Speech:
    media, sidecar = list(SyntheticSource(kind="speech", seed=11, count=1, languages=("en",)).files())
    data = media.read()
    sound, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    assert rate == 16_000
    words = [(word["text"], word["start_s"], word["end_s"]) for word in json.loads(sidecar.read())["words"]]
    path = tmp_path_factory.mktemp("speech") / "talk.flac"
    path.write_bytes(data)
    return Speech(path, sound, words, words[len(words) // 2][1])


def textgrid(speech: Speech, folder: Path) -> Path:
    """One file for the recording, as an aligner writes it that got the recording."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", str(speech.length_s), "<exists>", "1",
             '"IntervalTier"', '"words"', "0", str(speech.length_s), str(len(speech.words))]  # fmt: skip
    lines += [f'{start_s} {end_s} "{text}"' for text, start_s, end_s in speech.words]
    (folder / "talk.TextGrid").write_text("\n".join(lines))
    return folder / "talk.TextGrid"


def textgrids(speech: Speech, folder: Path) -> Path:
    """One file per utterance, whose times count from its start, as an aligner writes it that got the utterances."""
    for name, (zero, end_s, words) in speech.utterances().items():
        moved = [(text, word_s - zero, stop_s - zero) for text, word_s, stop_s in words]
        part = Speech(speech.path, speech.sound[: round((end_s - zero) * 16_000)], moved, 0.0)
        textgrid(part, folder).rename(folder / f"{name}.TextGrid")
    return folder


def ctm(speech: Speech, folder: Path) -> Path:
    lines = [f"talk 1 {start_s} {end_s - start_s:.5f} {text}\n" for text, start_s, end_s in speech.words]
    (folder / "talk.ctm").write_text("".join(lines))
    return folder / "talk.ctm"


def ctm_of_utterances(speech: Speech, folder: Path) -> Path:
    lines = [
        f"{name} 1 {start_s - zero:.5f} {end_s - start_s:.5f} {text}\n"
        for name, (zero, _, words) in speech.utterances().items()
        for text, start_s, end_s in words
    ]
    (folder / "utterances.ctm").write_text("".join(lines))
    return folder / "utterances.ctm"


def whisper_json(speech: Speech, folder: Path) -> Path:
    """One file for the recording; words stand in segments, with the blank before them."""
    words = [{"word": f" {text}", "start": start_s, "end": end_s} for text, start_s, end_s in speech.words]
    segments = [{"text": "", "words": words[:2]}, {"text": "", "words": words[2:]}]
    (folder / "talk.json").write_text(json.dumps({"text": "", "segments": segments}))
    return folder / "talk.json"


def mfa_json(speech: Speech, folder: Path) -> Path:
    """One file per utterance, whose times count from its start."""
    for name, (zero, end_s, words) in speech.utterances().items():
        entries = [[word_s - zero, stop_s - zero, text] for text, word_s, stop_s in words]
        tier = {"type": "interval", "entries": [[0.0, entries[0][0], ""], *entries]}
        document = {"start": 0.0, "end": end_s - zero, "tiers": {"words": tier}}
        (folder / f"{name}.json").write_text(json.dumps(document))
    return folder


def librispeech(speech: Speech, folder: Path) -> Path:
    """One line per utterance: words and pauses, and where each ends."""
    lines = []
    for name, (zero, _, words) in speech.utterances().items():
        marks = [mark for text, start_s, stop_s in words for mark in (("", start_s - zero), (text, stop_s - zero))]
        texts, ends = zip(*marks, strict=True)
        lines.append(f'{name} "{",".join(texts)}" "{",".join(f"{end_s:.5f}" for end_s in ends)}"\n')
    (folder / "1-2.alignment.txt").write_text("".join(lines))
    return folder / "1-2.alignment.txt"


WRITERS: dict[str, tuple[Callable[[Speech, Path], Path], ...]] = {
    "textgrid": (textgrid, textgrids),
    "ctm": (ctm, ctm_of_utterances),
    "aligner-json": (whisper_json, mfa_json),
    "librispeech-alignments": (librispeech,),
}
"""Format of alignments -> what is written in it: times of the recording, times of the utterances."""


@pytest.mark.parametrize(("format", "write"), [(name, each) for name, writers in WRITERS.items() for each in writers])
def test_a_word_is_at_the_second_at_which_it_was_spoken(
    format: str, write: Callable[[Speech, Path], Path], speech: Speech, tmp_path: Path
) -> None:
    rows = [
        {
            "id": name,
            "audio": str(speech.path),
            "text": name,
            "start_s": start_s,
            "end_s": end_s,
            "recording_id": "talk",
        }
        for name, (start_s, end_s, _) in speech.utterances().items()
    ]
    store = bring_in(tmp_path / "store", "mine", rows, tmp_path)
    (tmp_path / "aligned").mkdir()
    triptych.import_data(format, write(speech, tmp_path / "aligned"), name="mine", store=store)
    _check_words(store, speech)


def test_a_lhotse_alignment_is_at_the_second_at_which_it_was_spoken(speech: Speech, tmp_path: Path) -> None:
    """Its times count from the start of the cut, which is neither that of the recording nor of the utterance."""
    frames = len(speech.sound)
    recording = {"id": "talk", "sources": [{"type": "file", "channels": [0], "source": str(speech.path)}],
                 "sampling_rate": 16_000, "num_samples": frames, "duration": speech.length_s,
                 "channel_ids": [0]}  # fmt: skip
    cuts = []
    for name, (start_s, end_s, words) in speech.utterances().items():
        zero = start_s / 2
        aligned = [[text, word_s - zero, stop_s - word_s, None] for text, word_s, stop_s in words]
        supervision = {"id": name, "recording_id": "talk", "start": start_s - zero, "duration": end_s - start_s,
                       "channel": 0, "text": name, "alignment": {"word": aligned}}  # fmt: skip
        cuts.append({"id": f"cut-{name}", "start": zero, "duration": end_s - zero, "channel": 0, "type": "MonoCut",
                     "recording": recording, "supervisions": [supervision]})  # fmt: skip
    (tmp_path / "cuts.jsonl").write_text("".join(json.dumps(cut) + "\n" for cut in cuts))
    triptych.import_data("lhotse", tmp_path / "cuts.jsonl", name="mine", store=tmp_path / "store")
    _check_words(tmp_path / "store", speech)


def test_a_word_cut_out_by_its_times_is_that_piece_of_the_recording(speech: Speech, tmp_path: Path) -> None:
    rows = [
        {"id": f"w{number}", "audio": str(speech.path), "text": f"{number} {text}", "start": start_s, "end": end_s}
        for number, (text, start_s, end_s) in enumerate(speech.words)
    ]
    assert len(table(tmp_path / "words.jsonl", rows).read_text().splitlines()) == len(speech.words)
    store = bring_in(tmp_path / "store", "words", rows, tmp_path)
    exported = list(read_lines(triptych.export("unified", store=store).version.data))
    assert len(exported) == len(rows)
    for row in exported:
        text, start_s, end_s = speech.words[int(row["text"].split()[0])]
        assert row["text"].endswith(f" {text}")
        cut, rate = soundfile.read(row["audio"], dtype="int16")
        assert rate == 16_000
        np.testing.assert_array_equal(cut, speech.sound[round(start_s * 16_000) : round(end_s * 16_000)])


def _check_words(store: Path, speech: Speech) -> None:
    found: dict[str, list[dict[str, Any]]] = {
        row["text"]: row["words"] for row in select(store, "select text, words from samples")
    }
    for name, (_, _, words) in speech.utterances().items():
        assert [word["text"] for word in found[name]] == [text for text, _, _ in words]
        times = [second for word in found[name] for second in (word["start_s"], word["end_s"])]
        assert times == pytest.approx([second for _, *span in words for second in span], abs=1e-4)
