"""`triptych.train_contrastive` and `triptych.retrieve`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ...errors import UsageError
from ...options import described_by
from ...shards.media.streams import MediaError
from ...shards.store.store import Store
from ..data.exports import require_exports
from ..runs.options import TrainOptions
from ..runs.records.run_line import Lines
from .options import RetrieveOptions

if TYPE_CHECKING:
    from ...options.arguments import RetrieveArguments, TrainContrastiveArguments
    from .result import ContrastiveResult
    from .search.long_sound import HeardTerm

PathLike = str | Path

SOUNDS = frozenset({".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aiff", ".aif", ".mp4", ".mkv", ".webm"})
"""What a folder is searched for."""


@dataclass(frozen=True, slots=True)
class ClipTerms:
    """The terms of one recording, by time.

    Attributes:
        error: Why it could not be heard; None: it was.
    """

    audio: Path
    terms: tuple[HeardTerm, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RetrieveResult:
    """The terms of each recording.

    Attributes:
        glossary: Terms that were searched.
        threshold: The cosine under which no term is said.
    """

    glossary: int
    threshold: float
    clips: tuple[ClipTerms, ...]

    @property
    def passed(self) -> bool:
        return all(clip.error is None for clip in self.clips)


@described_by(TrainOptions)
def train_contrastive(
    export: str | None = None,
    *,
    store: PathLike | None = None,
    progress: Callable[[int, int], None] | None = None,
    notes: Callable[[str], None] | None = None,
    lines: Lines | None = None,
    **options: Unpack[TrainContrastiveArguments],
) -> ContrastiveResult:
    """Train a retriever of terms on the chunks of an export.

        triptych.train_contrastive("term-chunks@v1", model="openai/whisper-large-v3", output_dir="runs/terms",
                                   values={"retrieval.text_model": "intfloat/multilingual-e5-base"})

    Args:
        export: The export that is trained on, `NAME` or `NAME@vN`; default: `data.train` of the configuration.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        progress: Called with the number of steps that are over, and their number.
        notes: Called with what is worth a note about the configuration.
        lines: Called with what the log says of the run's start, steps and scores; `str(line)` is its text.
        {options}

    Returns:
        What came of the run; of a dry run, what would be trained on.

    Raises:
        UsageError: The configuration, the export or a model is not usable; or a run stands in the folder.
        ProblemsFound: Clips cannot be heard; or the loss is no longer a number.
        DamagedError: A file of an encoder, the export or the run is damaged.
    """
    return train_contrastive_with(export, store, TrainOptions.of(**options), progress, notes, lines)


def train_contrastive_with(
    export: str | None,
    store: PathLike | None,
    options: TrainOptions,
    progress: Callable[[int, int], None] | None = None,
    notes: Callable[[str], None] | None = None,
    lines: Lines | None = None,
) -> ContrastiveResult:
    """`train_contrastive` with options that are already parsed."""
    from ..runs.options import configuration
    from .config import ContrastiveConfig

    read = configuration(ContrastiveConfig, options, export)
    for note in read.notes:
        if notes is not None:
            notes(note)
    opened = Store.open(store)
    require_exports(opened, read.config.data.train)
    if options.dry_run:
        from .preflight import preflight

        return preflight(read.config, store=opened)
    from .train import train

    return train(read.config, store=opened, resume=options.resume, progress=progress, lines=lines)


@described_by(RetrieveOptions)
def retrieve(run: PathLike, *audio: PathLike, **options: Unpack[RetrieveArguments]) -> RetrieveResult:
    """Find the terms of a glossary that recordings name.

        triptych.retrieve("runs/terms", "talk.flac", top=3)

    Args:
        run: The folder of a run of `train_contrastive`, or of its retriever.
        audio: Recordings, and folders of them.
        {options}

    Returns:
        The terms of each recording, with cosines and times.

    Raises:
        UsageError: There is no retriever, no such recording, or no such glossary.
        DamagedError: A file of the retriever is damaged, or an encoder is another one.
    """
    return retrieve_with(Path(run), [Path(each) for each in audio], RetrieveOptions.of(**options))


def retrieve_with(
    run: Path, audio: Iterable[Path], options: RetrieveOptions, progress: Callable[[int, int], None] | None = None
) -> RetrieveResult:
    """`retrieve` with options that are already parsed."""
    from .search.glossary_file import read_glossary
    from .search.retriever import Retriever

    paths = list(_recordings(audio))
    if not paths:
        raise UsageError("no recording to search.", hint="name a file with sound, or a folder of them")
    glossary = None if options.glossary is None else read_glossary(options.glossary)
    retriever = Retriever.open(run, glossary=glossary, kind=options.index)
    threshold = retriever.settings.threshold if options.threshold is None else options.threshold
    found = []
    for number, path in enumerate(paths):
        try:
            terms = retriever.terms_in(path, top=options.top, threshold=threshold, window_s=options.window)
        except MediaError as bad:
            found.append(ClipTerms(path, (), f"{bad.reason}: {bad.detail}"))
        else:
            found.append(ClipTerms(path, tuple(terms)))
        if progress is not None:
            progress(number + 1, len(paths))
    return RetrieveResult(len(retriever.index), threshold, tuple(found))


def _recordings(given: Iterable[Path]) -> Iterator[Path]:
    for path in given:
        if path.is_dir():
            own = sorted(each for each in path.rglob("*") if each.suffix.lower() in SOUNDS)
            if not own:
                raise UsageError(f"{path}: no recording lies in this folder.")
            yield from own
        elif path.is_file():
            yield path
        else:
            raise UsageError(f"{path}: there is no such file.")
