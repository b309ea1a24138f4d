"""lhotse's own recipes, run in the environment that `make peers` makes, and our rows as they would say them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.places import ROOT, SUPPORT
from support.pulls import Row, rows_of

DRIVER = SUPPORT / "drivers/with_lhotse.py"
RECIPES = {
    "aishell1": "aishell",
    "aishell2": "aishell2",
    "common_voice": "commonvoice",
    "emilia": "emilia",
    "fleurs": "fleurs",
    "gigaspeech": "gigaspeech",
    "libri_light": "librilight",
    "librispeech": "librispeech",
    "ljspeech": "ljspeech",
    "peoples_speech": "peoples_speech",
    "tedlium": "tedlium",
    "timit": "timit",
    "voxceleb": "voxceleb",
    "voxpopuli": "voxpopuli",
    "wenetspeech": "wenet_speech",
}
"""Our dataset -> lhotse's recipe."""

Utterances = dict[str, dict[str, Any]]
Recipe = Callable[[str, Path], Utterances]

Said = tuple[str | None, str | None, float, float]
"""Text, speaker, and the seconds of the start and the end."""


def lhotse_python() -> str:
    """The interpreter that has lhotse; skips the test where there is none."""
    folder = Path(sys.prefix) / "peers"
    done = folder / ".installed"
    if not done.is_file() or done.read_bytes() != (ROOT / "peers.txt").read_bytes():
        pytest.skip("lhotse is not installed in its own environment: `make peers`, which needs the package index")
    return str(folder / "bin/python")


@contextmanager
def recipes() -> Iterator[Recipe]:
    """Runs the recipe of one of our datasets over a folder; `<split>/<id>` -> what lhotse says of the utterance."""
    command = [lhotse_python(), str(DRIVER)]
    env = {**os.environ, "PYTHONUTF8": "1"}  # the recipes open transcripts in the machine's encoding
    # One process for all recipes: importing lhotse takes longer than any of them.
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
    with subprocess.Popen(command, env=env, **pipes) as process:  # type: ignore[call-overload]

        def prepare(dataset: str, corpus: Path) -> Utterances:
            process.stdin.write(json.dumps([RECIPES[dataset], str(corpus)]) + "\n")
            process.stdin.flush()
            listed = json.loads(process.stdout.readline())
            assert isinstance(listed, list), listed
            said = {f"{each['split'] or 'train'}/{each['id']}": each for each in listed}
            assert len(said) == len(listed) > 0
            return said

        yield prepare


def ours(
    dataset: str, tree: Path, store: Path, said_by: Callable[[Row], tuple[str, str | None, str | None]], **options: Any
) -> dict[str, Said]:
    """Our rows as lhotse says them; `said_by` gives the key, text and speaker of lhotse."""
    triptych.pull(dataset, store=store, from_path=tree, **options)
    found: dict[str, Said] = {}
    for row in rows_of(dataset, store).values():
        key, text, speaker = said_by(row)
        start, end = row["start_s"] or 0.0, row["end_s"]
        found[key] = (text, speaker, round(start, 3), round(row["audio"]["duration"] if end is None else end, 3))
    return found


def theirs(utterances: Utterances) -> dict[str, Said]:
    return {
        key: (each["text"], each["speaker"], *(round(frame / each["rate"], 3) for frame in each["span"]))
        for key, each in utterances.items()
    }
