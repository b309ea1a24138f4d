"""lhotse's recipes of corpora, run with the interpreter that has lhotse.

Each line of standard input is a JSON list of a recipe and a folder; for each a line is printed: a JSON list with an
object an utterance, or the traceback as a string. An object has: split (null where the recipe has none), id, text,
speaker and custom (fields of the corpus's own) of its supervision; duration, frames, rate, recording (id) and source
(the name of the file) of its recording; and span, the first frame of the supervision and the one after its last.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import shutil
import sys
import tempfile
import traceback
import types
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any


def utterances(split: str | None, manifests: Any) -> Iterator[dict[str, Any]]:
    """What lhotse says of each supervision of a pair of manifests."""
    recordings = {each.id: each for each in manifests["recordings"]}
    for said in manifests["supervisions"]:
        recording = recordings[said.recording_id]
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


class GigaSpeechList:
    """The part of the package `speechcolab` that the recipe uses: the entries of the corpus's own list, by subset."""

    def __init__(self, path: Path) -> None:
        self.gigaspeech_dataset_dir = path

    def audios(self, subset: str) -> Iterator[dict[str, Any]]:
        document = json.loads((self.gigaspeech_dataset_dir / "GigaSpeech.json").read_text(encoding="utf-8"))
        for audio in document["audios"]:
            if subset in audio["subsets"]:
                yield audio | {"segments": [each for each in audio["segments"] if subset in each["subsets"]]}


def without_downloads() -> None:
    """Recipes that fetch a list from the internet get an empty one, and their own processes are forks."""
    from lhotse.recipes import commonvoice, gigaspeech, voxceleb

    package = types.ModuleType("speechcolab.datasets.gigaspeech")
    package.GigaSpeech = GigaSpeechList  # type: ignore[attr-defined]
    sys.modules |= {"speechcolab": package, "speechcolab.datasets": package, package.__name__: package}
    gigaspeech.is_module_available = lambda *names: True
    commonvoice.mp_get_context = lambda name: multiprocessing.get_context("fork")
    voxceleb.resumable_download = lambda url, filename: Path(filename).touch()


def prepare(recipe: str, folder: Path, work: Path) -> Any:
    """What the recipe returns; `work` is for what it writes."""
    function = getattr(import_module(f"lhotse.recipes.{recipe}"), f"prepare_{recipe}")
    if recipe == "voxceleb":
        return function(folder / "vox1", folder / "vox2")
    if recipe == "voxpopuli":
        shutil.copy(folder / "asr_en.tsv.gz", work)
    if recipe == "emilia":
        recordings, supervisions, _ = function(folder, "de", 1).decompose()
        return {"recordings": recordings, "supervisions": supervisions}
    if recipe == "tedlium":
        from lhotse.audio.backend import LibsndfileBackend, audio_backend

        with audio_backend(LibsndfileBackend()):  # the default one has SPHERE read by a program of its own
            return function(folder)
    if recipe in ("commonvoice", "fleurs", "gigaspeech", "voxpopuli"):
        return function(folder, work)
    return function(folder)


def prepared(recipe: str, folder: str) -> list[dict[str, Any]]:
    """What lhotse says of every supervision that its recipe finds in a folder."""
    with tempfile.TemporaryDirectory() as work, contextlib.chdir(work):
        made = prepare(recipe, Path(folder), Path(work))
        return [each for split, manifests in parts_of(made, None) for each in utterances(split, manifests)]


def parts_of(made: Any, name: str | None) -> Iterator[tuple[str | None, Any]]:
    """The pairs of manifests by split, or by language and split: `en/train`; lists of trials are none."""
    if isinstance(made, dict) and "supervisions" in made:
        yield name, made
    elif isinstance(made, dict):
        for key, inner in made.items():
            yield from parts_of(inner, key if name is None else f"{name}/{key}")


def main() -> None:
    answers = sys.stdout
    sys.stdout = sys.stderr  # what the recipes print
    without_downloads()
    for line in sys.stdin:
        try:
            answer: Any = prepared(*json.loads(line))
        except Exception:  # noqa: BLE001 (told to the test, which fails with it)
            answer = traceback.format_exc()
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
