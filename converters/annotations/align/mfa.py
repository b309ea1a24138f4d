"""The Montreal Forced Aligner, an external program: `mfa align` on a corpus of clips, made for it and removed after.

    corpus/<speaker>/<number>.wav   the sound of one clip, 16 kHz mono
    corpus/<speaker>/<number>.lab   its words
    out/<speaker>/<number>.TextGrid what MFA found, read like any other TextGrid

Speakers have folders of their own, because MFA adapts to each. A clip without a TextGrid is one that MFA could not
align. A word that its dictionary lacks has the phone `spn` there: such a clip is refused with the word.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ....errors import ProblemsFound, UsageError
from ...candidate import RowError
from ...readers.alignments.interval import PHONES, WORDS, Interval
from ...readers.alignments.textgrid import parse, tier_of
from .aligner import RATE, AlignerSettings, Clip, Times
from .transcript import Word, in_own_spelling, unknown_words, words_of

INSTALL = "conda install -c conda-forge montreal-forced-aligner"
ENGLISH = "english_us_arpa"
"""The model and dictionary of English, by MFA's own names."""

UNKNOWN = ("spn", "<unk>")
_LEGACY_SINCE = 4
"""From this version on, `mfa align` takes models of another kind; these are taken by `mfa align_legacy`."""
_SHOWN_LINES = 5


class MontrealForcedAligner:
    """Aligns the language of its acoustic model; English by default."""

    part_clips = 2_000
    in_workers = False

    def __init__(self, settings: AlignerSettings) -> None:
        program = shutil.which("mfa")
        if program is None:
            raise UsageError("The aligner mfa is not installed: there is no program mfa on PATH.", hint=INSTALL)
        if (settings.dictionary is None) != (settings.acoustic_model is None):
            raise UsageError(
                "--aligner mfa takes --dictionary and --acoustic-model together.",
                hint="--dictionary mandarin_china_mfa --acoustic-model mandarin_mfa",
            )
        self._program = program
        self._settings = settings
        self._dictionary = _file_or_name(settings.dictionary or ENGLISH)
        self._model = _file_or_name(settings.acoustic_model or ENGLISH)
        version = _version(program)
        self._command = "align_legacy" if int(version.partition(".")[0]) >= _LEGACY_SINCE else "align"
        self.producer = f"align mfa {version} {Path(self._model).name} {Path(self._dictionary).name}"

    def align(self, clips: Sequence[Clip]) -> list[Times | RowError]:
        found: dict[int, Times | RowError] = {}
        words: dict[int, list[Word]] = {}
        for number, clip in enumerate(clips):
            try:
                words[number] = self._words(clip)
            except RowError as refusal:
                found[number] = refusal
        if words:
            with TemporaryDirectory(prefix="triptych-mfa-") as folder:
                found |= self._align(clips, words, Path(folder))
        return [found[number] for number in range(len(clips))]

    def _words(self, clip: Clip) -> list[Word]:
        language = clip.language.lower().partition("-")[0]
        if self._settings.acoustic_model is None and language != "en":
            raise RowError("language_unsupported", f"{clip.language}: name --acoustic-model and --dictionary of it")
        return words_of(clip.text)

    def _align(self, clips: Sequence[Clip], words: dict[int, list[Word]], folder: Path) -> dict[int, Times | RowError]:
        import soundfile

        speakers = {name: number for number, name in enumerate(dict.fromkeys(clips[n].speaker for n in words))}
        names = {number: f"s{speakers[clips[number].speaker]:05d}/{number:06d}" for number in words}
        for number, name in names.items():
            path = folder / "corpus" / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, clips[number].sound, RATE, subtype="PCM_16")
            path.with_suffix(".lab").write_text(" ".join(word.spoken for word in words[number]), encoding="utf-8")
        self._run(folder)
        return {number: _read(folder / "out" / f"{name}.TextGrid", words[number]) for number, name in names.items()}

    def _run(self, folder: Path) -> None:
        """Run MFA over `folder/corpus`.

        Raises:
            ProblemsFound: It failed; the message has its last lines.
        """
        jobs = ["--num_jobs", str(self._settings.jobs)] if self._settings.jobs else []
        command = [self._program, self._command, "--clean", "--quiet", "--output_format", "long_textgrid", *jobs,
                   "--temporary_directory", str(folder / "work"), str(folder / "corpus"), self._dictionary, self._model,
                   str(folder / "out")]  # fmt: skip
        done = _output(command)
        if done.returncode != 0:
            said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
            raise ProblemsFound(
                f"mfa {self._command} exited with {done.returncode}: {' | '.join(said[-_SHOWN_LINES:])}",
                hint=f"mfa model download acoustic {self._model}; mfa model download dictionary {self._dictionary}",
            )


def _output(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")


def _file_or_name(given: str) -> str:
    return str(Path(given).absolute()) if os.sep in given or Path(given).is_file() else given


def _version(program: str) -> str:
    done = subprocess.run(
        [program, "version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )
    lines = done.stdout.split()
    version = lines[-1] if done.returncode == 0 and lines else ""
    if not version.partition(".")[0].isdigit():
        raise UsageError(f"{program} version does not say its version: {(done.stdout + done.stderr).strip()[:200]!r}.")
    return version


def _read(path: Path, words: Sequence[Word]) -> Times | RowError:
    try:
        if not path.is_file():
            raise RowError("not_alignable", "mfa wrote no TextGrid: it found no path through the text")
        tiers = parse(path.read_bytes())
        spoken, phones = (tier_of(tiers, kind) for kind in (WORDS, PHONES))
        if spoken is None or phones is None:
            raise RowError("not_alignable", f"mfa's TextGrid has the tiers {', '.join(name for name, _ in tiers)}")
        _check_known(spoken, phones)
        return Times(in_own_spelling(words, spoken), phones)
    except UnicodeDecodeError as error:
        return RowError("not_alignable", f"mfa's TextGrid: {error}")
    except RowError as refusal:
        return refusal


def _check_known(spoken: Sequence[Interval], phones: Sequence[Interval]) -> None:
    """Raise RowError `unknown_word` if a word has no phones of its own."""
    unknown = [phone for phone in phones if phone.text in UNKNOWN]
    words = [
        word.text
        for word in spoken
        if word.text in UNKNOWN or any(word.start_s <= (each.start_s + each.end_s) / 2 < word.end_s for each in unknown)
    ]
    if words:
        raise unknown_words(list(dict.fromkeys(words)))
