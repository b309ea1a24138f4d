"""lhotse's recipes of corpora, run with the interpreter that has lhotse.

Each line of standard input is a JSON list of a recipe and a folder; for each a line is printed: a JSON list with an
object an utterance, or the traceback as a string. An object has: split (null where the recipe has none), id, text,
speaker and custom (fields of the corpus's own) of its supervision; duration, frames, rate, recording (id) and source
(the name of the file) of its recording; and span, the first frame of the supervision and the one after its last.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import lhotse.recipes


def utterances(split: str | None, manifests: Any) -> Iterator[dict[str, Any]]:
    """What lhotse says of each supervision of a pair of manifests."""
    for said in manifests["supervisions"]:
        recording = manifests["recordings"][said.recording_id]
        yield {
            "split": split,
            "id": said.id,
            "text": said.text,
            "speaker": said.speaker,
            "span": [round(time * recording.sampling_rate) for time in (said.start, said.end)],
            "duration": recording.duration,
            "frames": recording.num_samples,
            "rate": recording.sampling_rate,
            "recording": recording.id,
            "source": recording.sources[0].source.rsplit("/", 1)[-1],
            "custom": said.custom or {},
        }


def prepared(recipe: str, folder: str) -> list[dict[str, Any]]:
    """What lhotse says of every supervision that its recipe finds in a folder."""
    made = getattr(lhotse.recipes, f"prepare_{recipe}")(folder)
    parts = {None: made} if "supervisions" in made else made
    return [each for split, manifests in parts.items() for each in utterances(split, manifests)]


def main() -> None:
    answers = sys.stdout
    sys.stdout = sys.stderr  # what the recipes print
    for line in sys.stdin:
        try:
            answer: Any = prepared(*json.loads(line))
        except Exception:  # noqa: BLE001 (told to the test, which fails with it)
            answer = traceback.format_exc()
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
