"""Spoken digits of several speakers, of whom one is held out, with their phones.

Pronunciations are those of CMUdict; what a speaker said is taken to be them. Phones lie evenly over a clip: the rows of
phones have no times.
"""

from __future__ import annotations

import json
from pathlib import Path

import soundfile

PHONES = {
    "zero": "z iy r ow", "one": "w ah n", "two": "t uw", "three": "th r iy", "four": "f ao r", "five": "f ay v",
    "six": "s ih k s", "seven": "s eh v ah n", "eight": "ey t", "nine": "n ay n",
}  # fmt: skip
WORDS = tuple(PHONES)
HELD_OUT = "yweweler"


def phone_exports(folder: Path, recordings: Path, *, held_out: str = HELD_OUT) -> Path:
    """A store with the exports `digits` (all speakers but one) and `unheard` (that one)."""
    import triptych

    rows = []
    for path in sorted(recordings.glob("*.wav")):
        digit, speaker, _ = path.stem.split("_")
        word = WORDS[int(digit)]
        phones = PHONES[word].split()
        each = soundfile.info(path).duration / len(phones)
        rows.append({
            "id": path.stem, "audio": str(path), "text": word, "speaker": speaker, "language": "en", "task": "asr",
            "split": "test" if speaker == held_out else "train",
            "phones": [{"text": phone, "start_s": place * each, "end_s": (place + 1) * each}
                       for place, phone in enumerate(phones)],
        })  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "digits.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    store = folder / "store"
    triptych.import_data("jsonl", table, name="digits", store=store)
    triptych.export("phoneme", split="train", name="digits", phones="own", store=store)
    triptych.export("phoneme", split="test", name="unheard", phones="own", store=store)
    return store
