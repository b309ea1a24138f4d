"""lhotse's recipe of a corpus, run with the interpreter that has lhotse: `with_lhotse.py RECIPE FOLDER`.

Prints a JSON list with an object an utterance: split (null where the recipe has none), id, text, speaker and custom
(fields of the corpus's own) of its supervision; duration, frames, rate, recording (the id) and source (the name of the
file) of its recording; and span, the first frame of the supervision and the one after its last.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any


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


def main() -> None:
    import lhotse.recipes

    recipe, folder = sys.argv[1:]
    made = getattr(lhotse.recipes, f"prepare_{recipe}")(folder)
    parts = {None: made} if "supervisions" in made else made
    print(json.dumps([each for split, manifests in parts.items() for each in utterances(split, manifests)]))


if __name__ == "__main__":
    main()
