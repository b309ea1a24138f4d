"""Make a corpus in LibriSpeech's layout, large enough to measure with, spoken by espeak-ng, deterministic by seed.

    python -m benchmarks.corpus OUT --utterances 3000 --hours 7.5

writes

    OUT/LibriSpeech/train-clean-100/<speaker>/<chapter>/<speaker>-<chapter>-<utterance>.flac
    OUT/LibriSpeech/train-clean-100/<speaker>/<chapter>/<speaker>-<chapter>.trans.txt
    OUT/train-clean-100.tar.gz    per chapter the FLAC files, then the transcript, as in the real archive

Each utterance joins sentences of one voice, with its own level and low noise, so that FLAC compresses it like read
speech (about 17 kB per second) and no two files are equal.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import tarfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from triptych.catalog.sources.synthetic import speech as espeak
from triptych.catalog.sources.synthetic.sentences import make_sentence
from triptych.catalog.sources.synthetic.source import SAMPLE_RATE, VARIANTS, VOICES, encode_flac, to_16_khz

SPLIT = "train-clean-100"
UTTERANCES_A_CHAPTER = 50
CHAPTERS_A_SPEAKER = 2
SENTENCES_A_CHAPTER = 40
FIRST_SPEAKER, FIRST_CHAPTER = 1001, 120001
NOISE_SECONDS = 40
NOISE_LEVEL = 1.0e-4
"""Standard deviation of the noise, as a fraction of full scale: -80 dBFS, a quiet room."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """One chapter to speak: its speaker, its number of utterances and their mean length in seconds."""

    speaker: int
    chapter: int
    utterances: int
    mean_seconds: float
    seed: int

    @property
    def name(self) -> str:
        return f"{self.speaker}-{self.chapter}"

    def folder(self, root: Path) -> Path:
        return root / "LibriSpeech" / SPLIT / str(self.speaker) / str(self.chapter)


@dataclass(frozen=True, slots=True)
class Written:
    """The files of a chapter in archive order, and the seconds of audio in them."""

    files: list[Path]
    seconds: float


@dataclass(frozen=True, slots=True)
class Corpus:
    """The corpus that was written."""

    tree: str
    archive: str
    utterances: int
    hours: float
    flac_bytes: int
    archive_bytes: int


def make_corpus(folder: Path, *, utterances: int = 3000, hours: float = 7.5, seed: int = 7, workers: int = 2) -> Corpus:
    """Write the tree and its archive under `folder`; the archive's bytes only depend on the numbers and the seed.

    Parameters:
        utterances: Number of FLAC files.
        hours: Their total length, met within a few percent.
        workers: Processes that speak.
    """
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"{SPLIT}.tar.gz"
    seconds = 0.0
    flac_bytes = 0
    chapters = list(plan_chapters(utterances, hours, seed))
    with (
        ProcessPoolExecutor(workers) as pool,
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for written in pool.map(speak_chapter, [folder] * len(chapters), chapters):
            for path in written.files:
                _add(tar, path, folder)
            seconds += written.seconds
            flac_bytes += sum(path.stat().st_size for path in written.files if path.suffix == ".flac")
    tree = folder / "LibriSpeech" / SPLIT
    return Corpus(str(tree), str(archive), utterances, seconds / 3600, flac_bytes, archive.stat().st_size)


def plan_chapters(utterances: int, hours: float, seed: int) -> Iterator[Chapter]:
    """Chapters of 50 utterances, two per speaker; the last one has the remainder."""
    for number, first in enumerate(range(0, utterances, UTTERANCES_A_CHAPTER)):
        yield Chapter(
            speaker=FIRST_SPEAKER + number // CHAPTERS_A_SPEAKER,
            chapter=FIRST_CHAPTER + number,
            utterances=min(UTTERANCES_A_CHAPTER, utterances - first),
            mean_seconds=hours * 3600 / utterances,
            seed=seed,
        )


def speak_chapter(root: Path, chapter: Chapter) -> Written:
    """Speak, mix and write one chapter."""
    chance = random.Random(f"{chapter.seed}:{chapter.name}")
    noise_source = np.random.default_rng([chapter.seed, chapter.chapter])
    noise = noise_source.normal(0.0, NOISE_LEVEL * 32768, NOISE_SECONDS * SAMPLE_RATE).astype(np.float32)
    spoken = list(_speak_sentences(chapter, chance))
    folder = chapter.folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    files, lines, samples = [], [], 0
    for number in range(chapter.utterances):
        chosen = _choose(spoken, chapter.mean_seconds * chance.uniform(0.4, 1.6), chance)
        pcm = _mix([part for part, _ in chosen], noise, chance)
        path = folder / f"{chapter.name}-{number:04d}.flac"
        path.write_bytes(encode_flac(pcm))
        files.append(path)
        lines.append(f"{path.stem} {' '.join(text for _, text in chosen)}\n")
        samples += len(pcm)
    transcript = folder / f"{chapter.name}.trans.txt"
    transcript.write_text("".join(lines), encoding="utf-8")
    return Written([*files, transcript], samples / SAMPLE_RATE)


def _speak_sentences(chapter: Chapter, chance: random.Random) -> Iterator[tuple[npt.NDArray[np.int16], str]]:
    """Sentences of the chapter's speaker as audio and upper-case text, without punctuation."""
    voices = random.Random(f"{chapter.seed}:{chapter.speaker}")
    voice = f"{voices.choice(VOICES['en'])}+{voices.choice(VARIANTS)}"
    pitch, rate = voices.randint(35, 65), voices.randint(145, 175)
    for _ in range(SENTENCES_A_CHAPTER):
        sentence = make_sentence("en", chance)
        speech = espeak.speak(sentence.text, voice, rate=rate, pitch=pitch)
        yield to_16_khz(speech.pcm, gain=1.0), " ".join(sentence.words).upper()


def _choose(
    spoken: Sequence[tuple[npt.NDArray[np.int16], str]], seconds: float, chance: random.Random
) -> list[tuple[npt.NDArray[np.int16], str]]:
    """Sentences in random order, at least one, whose length together comes closest to `seconds`."""
    missing = seconds * SAMPLE_RATE
    chosen: list[tuple[npt.NDArray[np.int16], str]] = []
    while not chosen or missing > 0:
        sentence = chance.choice(spoken)
        if chosen and len(sentence[0]) - missing > missing:
            break
        chosen.append(sentence)
        missing -= len(sentence[0])
    return chosen


def _mix(
    parts: Sequence[npt.NDArray[np.int16]], noise: npt.NDArray[np.float32], chance: random.Random
) -> npt.NDArray[np.int16]:
    speech = np.concatenate(parts).astype(np.float32) * chance.uniform(0.12, 0.38)
    start = chance.randrange(len(noise))
    hiss = np.resize(np.roll(noise, -start), len(speech))
    mixed: npt.NDArray[np.int16] = np.rint(speech + hiss).astype(np.int16)  # far below full scale: nothing clips
    return mixed


def _add(tar: tarfile.TarFile, path: Path, root: Path) -> None:
    """Add a file without its time and owner, which would change the archive between runs."""
    member = tarfile.TarInfo(path.relative_to(root).as_posix())
    member.size = path.stat().st_size
    with path.open("rb") as file:
        tar.addfile(member, file)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a corpus in LibriSpeech's layout and pack it.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--utterances", type=int, default=3000)
    parser.add_argument("--hours", type=float, default=7.5)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    started = time.perf_counter()
    corpus = make_corpus(
        options.out, utterances=options.utterances, hours=options.hours, seed=options.seed, workers=options.workers
    )
    print(json.dumps({**asdict(corpus), "seconds_taken": round(time.perf_counter() - started, 1)}, indent=1))


if __name__ == "__main__":
    main()
