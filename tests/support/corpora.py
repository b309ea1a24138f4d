"""Small corpora in LibriSpeech's layout, made here: an archive per split, the card for it, a folder to serve."""

from __future__ import annotations

import hashlib
import io
import random
import tarfile
import wave
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from support.cards import head, put_card

SOURCES = """
sources:
  - archive: https://example.org/words/{{split}}.tar.gz
    {sums}
"""
READER = """
    reader:
      transcripts:
        media: "{split}/{speaker}/{chapter_id}/{id}.wav"
        transcripts: "{split}/{speaker}/{chapter_id}/*.trans.txt"
"""


def noise(seed: int, *, frames: int = 4000) -> bytes:
    """A WAV of noise, which no compression makes smaller: 16 kHz, mono, 2 bytes a frame."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 16_000, frames, "NONE", ""))
        out.writeframes(random.Random(seed).randbytes(2 * frames))
    return file.getvalue()


@dataclass(frozen=True)
class Utterance:
    """One utterance of a made corpus: chapter 1 of speaker `n // 10`."""

    split: str
    n: int
    frames: int = 4000

    @property
    def speaker(self) -> str:
        return str(100 + self.n // 10)

    @property
    def folder(self) -> str:
        return f"Words/{self.split}/{self.speaker}/1"

    @property
    def name(self) -> str:
        return f"{self.speaker}-1-{self.n:04d}"

    @property
    def text(self) -> str:
        return f"THE TEXT OF {self.n}"

    @property
    def audio(self) -> bytes:
        return noise(self.n, frames=self.frames)


def members(utterances: Iterable[Utterance], *, transcripts: str = "after") -> list[tuple[str, bytes]]:
    """Files of a tree, chapter by chapter, the transcripts `before` or `after` the audio of their chapter."""
    chapters: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        chapters.setdefault(utterance.folder, []).append(utterance)
    files: list[tuple[str, bytes]] = []
    for folder, spoken in chapters.items():
        audio = [(f"{folder}/{each.name}.wav", each.audio) for each in spoken]
        lines = "".join(f"{each.name} {each.text}\n" for each in spoken).encode()
        text = [(f"{folder}/{spoken[0].speaker}-1.trans.txt", lines)]
        files += text + audio if transcripts == "before" else audio + text
    return files


def archive(path: Path, files: Iterable[tuple[str, bytes] | tarfile.TarInfo]) -> Path:
    """A .tar.gz of files and, for hostile ones, bare headers; the same files give the same bytes."""
    import gzip

    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        for item in files:
            info = item if isinstance(item, tarfile.TarInfo) else tarfile.TarInfo(item[0])
            data = b"" if isinstance(item, tarfile.TarInfo) else item[1]
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def card(folder: Path, *, name: str = "words", sums: dict[str, Path] | None = None) -> Path:
    """The card, with the SHA-256 of archives where they are given."""
    listed = {split: hashlib.sha256(path.read_bytes()).hexdigest() for split, path in (sums or {}).items()}
    written = ", ".join(f"{split}: {digest}" for split, digest in listed.items())
    sources = SOURCES.format(sums=f"sha256: {{{written}}}" if written else "nested: []")
    put_card(folder, name, head(name, title="Words", splits="{train: train, test: test}") + sources + READER)
    return folder / f"{name}.yaml"
