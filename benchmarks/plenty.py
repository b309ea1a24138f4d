"""Make the inputs of `scale`: tables whose media is missing entirely or mostly, and an archive of tiny clips.

    python -m benchmarks.plenty table OUT --rows 1000000 [--every 100]
    python -m benchmarks.plenty archive OUT --clips 100000

A table is written as OUT.csv and OUT.jsonl; with `--every N`, every Nth row has its own clip. An archive is
OUT/train.tar.gz in LibriSpeech's layout, with all transcripts after all clips, and OUT/cards with its card.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import soundfile

CLIPS_A_CHAPTER = 20
FRAMES = 400
NAME = "plenty"
CARD = """
name: {name}
title: Many tiny clips
panel: S1
modality: audio
tasks: [asr]
languages: [en]
license: CC0-1.0
splits: {{train: train}}
sources:
  - archive: https://example.org/{name}/{{split}}.tar.gz
    sha256: {{train: {digest}}}
    reader:
      transcripts:
        media: "{{split}}/{{speaker}}/{{chapter_id}}/{{id}}.wav"
        transcripts: "{{split}}/{{speaker}}/{{chapter_id}}/*.trans.txt"
"""


def tiny_clip(number: int) -> bytes:
    """A WAV file with 25 ms of noise, different for every number."""
    out = io.BytesIO()
    noise = np.random.default_rng(number).integers(-3000, 3000, FRAMES).astype(np.int16)
    soundfile.write(out, noise, 16_000, format="WAV")
    return out.getvalue()


def write_table(out: Path, *, rows: int, every: int) -> None:
    """Write the same rows as CSV and as JSON Lines."""
    clips = out.parent / f"{out.name}-clips"
    names = ("audio", "text", "speaker")
    with (
        out.with_suffix(".csv").open("w", newline="", encoding="utf-8") as table,
        out.with_suffix(".jsonl").open("w", encoding="utf-8") as lines,
    ):
        writer = csv.writer(table)
        writer.writerow(names)
        for number in range(rows):
            path = f"{clips.name}/{number // 1000:05d}/{number:07d}.wav"
            if every and number % every == 0:
                (out.parent / path).parent.mkdir(parents=True, exist_ok=True)
                (out.parent / path).write_bytes(tiny_clip(number))
            row = (path, f"the text of number {number}", f"s{number % 100}")
            writer.writerow(row)
            lines.write(json.dumps(dict(zip(names, row, strict=True))) + "\n")


def write_archive(out: Path, *, clips: int) -> None:
    """Write the archive and a card with its checksum."""
    (out / "cards").mkdir(parents=True, exist_ok=True)
    path = out / "train.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for number in range(clips):
            chapter = number // CLIPS_A_CHAPTER
            _add(archive, f"{_folder(chapter)}/{_clip(chapter, number)}.wav", tiny_clip(number))
        for first in range(0, clips, CLIPS_A_CHAPTER):
            chapter = first // CLIPS_A_CHAPTER
            spoken = range(first, min(first + CLIPS_A_CHAPTER, clips))
            lines = "".join(f"{_clip(chapter, number)} THE TEXT OF {number}\n" for number in spoken)
            _add(archive, f"{_folder(chapter)}/{chapter}-1.trans.txt", lines.encode())
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    (out / "cards" / f"{NAME}.yaml").write_text(CARD.format(name=NAME, digest=digest), encoding="utf-8")


def _folder(chapter: int) -> str:
    return f"Plenty/train/{chapter}/1"


def _clip(chapter: int, number: int) -> str:
    return f"{chapter}-1-{number:07d}"


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a table of many rows or an archive of many small clips.")
    parser.add_argument("what", choices=("table", "archive"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--every", type=int, default=0, help="every Nth row has its clip; 0: none")
    parser.add_argument("--clips", type=int, default=100_000)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if options.what == "table":
        write_table(options.out, rows=options.rows, every=options.every)
    else:
        write_archive(options.out, clips=options.clips)


if __name__ == "__main__":
    main()
