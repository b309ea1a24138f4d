"""A corpus of which pulls choose: what is good of it, and what a draw takes as anybody can compute it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from support.cards import SOUNDS, put_card
from support.corpora import Utterance, archive, card, members, noise
from support.stores import select

URL = "/example.org/words/train.tar.gz"
SPOKEN = [Utterance("train", n, frames=2_000 + 200 * (n % 7)) for n in range(120)]
GOOD = [each for each in SPOKEN if each.n % 10 != 7]


def serve_into(folder: Path) -> Path:
    """A mirror of 120 utterances of 12 speakers, of which 12 are broken, and of 12 labelled sounds."""
    files = [(name, b"broken" if name.endswith("7.wav") else data) for name, data in members(SPOKEN)]
    path = archive(folder / URL[1:], files)
    card(folder / "cards", sums={"train": path})
    labels = [["Dog"], ["Cat", "Music"], ["Speech"]]
    sounds: list[tuple[str, bytes]] = []
    for n in range(12):
        sidecar = {"labels": labels[n % 3], "extra": {"room": str(n % 2)}}
        sounds += [(f"train/s{n}.json", json.dumps(sidecar).encode()), (f"train/s{n}.wav", noise(n))]
    archive(folder / "example.org/sounds/train.tar", sounds)
    put_card(folder / "cards", "sounds", SOUNDS)
    return folder


def seconds(utterance: Utterance) -> float:
    return utterance.frames / 16_000


def names(root: Path, dataset: str = "words") -> set[str]:
    return {row["id"].rsplit("/", 1)[-1] for row in select(root, f"select id from samples where dataset = '{dataset}'")}


def ranked(utterances: list[Utterance] = GOOD, seed: int = 0) -> list[Utterance]:
    """By SHA-256 of seed and id, as anybody can compute it."""
    return sorted(utterances, key=lambda u: hashlib.sha256(f"{seed}:words/train/{u.name}".encode()).hexdigest())


def first(count: int, utterances: list[Utterance] = GOOD, seed: int = 0) -> set[str]:
    return {each.name for each in ranked(utterances, seed)[:count]}


def arguments(served: Path, store: Path, *more: str | Path) -> list[str | Path]:
    return ["catalog", "pull", "words", "--split", "train", "--mirror", served, "--cards", served / "cards",
            "--store", store, *more]  # fmt: skip
