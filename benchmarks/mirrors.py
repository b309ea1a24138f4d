"""The corpus that `archive`, `decode` and `again` share, laid out as a mirror of its original host.

WORK/corpus-<utterances>-<hours>/
    train-clean-100.tar.gz and its unpacked tree                       benchmarks/corpus.py
    mirror/www.openslr.org/resources/12/train-clean-100.tar.gz         a hard link to it
    mirror/mirror.yaml                                                 its SHA-256, in place of the card's
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .timing import TRIPTYCH, module, run, tell

SPLIT = "train-clean-100"
KEY = f"www.openslr.org/resources/12/{SPLIT}.tar.gz"


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A corpus on disk."""

    folder: Path
    utterances: int

    @property
    def archive(self) -> Path:
        return self.folder / f"{SPLIT}.tar.gz"

    @property
    def tree(self) -> Path:
        return self.folder / "LibriSpeech"

    @property
    def mirror(self) -> Path:
        return self.folder / "mirror"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the size of the corpus."""
    parser.add_argument("--utterances", type=int, default=3000, help="FLAC files of the corpus")
    parser.add_argument("--hours", type=float, default=7.5, help="length of all of them together")


def get_corpus(work: Path, *, utterances: int, hours: float) -> Mirrored:
    """Return the corpus, made if it does not exist and read once, so that it is in the page cache."""
    made = Mirrored(work / f"corpus-{utterances}-{hours:g}", utterances)
    if not (made.mirror / "mirror.yaml").is_file():
        tell(f"making a corpus of {utterances:,} utterances ...")
        run(module("corpus", made.folder, "--utterances", utterances, "--hours", hours))
        target = made.mirror / KEY
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        os.link(made.archive, target)
        text = (
            f"about: a synthetic corpus in LibriSpeech's layout\nsubset: true\nsha256: {{{KEY}: {_sha256(target)}}}\n"
        )
        (made.mirror / "mirror.yaml").write_text(text, encoding="ascii")
    _sha256(made.archive)
    return made


def pull_command(store: Path, mirror: Path | str) -> Sequence[str]:
    """The command that pulls the corpus from a mirror."""
    return [
        TRIPTYCH, "catalog", "pull", "librispeech", "--split", SPLIT, "--source", "archive", "--mirror", str(mirror),
        "--store", str(store), "--json",
    ]  # fmt: skip


def get_store(work: Path, corpus: Mirrored) -> Path:
    """Return a store that contains the corpus, made if it does not exist."""
    store = work / f"store-{corpus.folder.name}"
    if not (store / "store.duckdb").is_file():
        tell("pulling it into a store ...")
        run(pull_command(store, corpus.mirror))
    return store


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
