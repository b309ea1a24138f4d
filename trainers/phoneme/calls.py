"""`triptych.train_phoneme`, `triptych.phoneme_build_vocabulary` and `triptych.phoneme_infer`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ...options import described_by
from ..runs.options import TrainOptions
from ..runs.records.run_line import Lines
from .options import BuildVocabularyOptions, PhonemeInferOptions

if TYPE_CHECKING:
    from ...options.arguments import PhonemeBuildVocabularyArguments, PhonemeInferArguments, TrainPhonemeArguments
    from ..runs.preflight.report import Preflight
    from ..runs.result import RunResult
    from .infer import PhonemeInferResult

PathLike = str | Path


@described_by(TrainOptions)
def train_phoneme(
    export: str | None = None,
    *,
    store: PathLike | None = None,
    progress: Callable[[int, int], None] | None = None,
    notes: Callable[[str], None] | None = None,
    lines: Lines | None = None,
    **options: Unpack[TrainPhonemeArguments],
) -> RunResult | Preflight:
    """Train a language model to write the phones that a frozen Whisper encoder hears.

        triptych.train_phoneme("phoneme@v1", model="Qwen/Qwen3-8B", output_dir="runs/phones",
                               values={"phoneme.encoder": "openai/whisper-large-v3"})

    Args:
        export: The export that is trained on: `NAME` or `NAME@vN`; default: `data.train` of the configuration.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        progress: Called with the number of steps that are over, and their number.
        notes: Called with what is worth a note about the configuration.
        lines: Called with what the log says of the run's start, steps and scores; `str(line)` is its text.
        {options}

    Returns:
        What came of the run; of a dry run, what was found out about it (`Preflight`).

    Raises:
        UsageError: The configuration, the export or a model is not usable; or a run stands in the folder.
        ProblemsFound: Rows cannot be trained on; or the loss is no longer a number.
        DamagedError: A file of a model, the export or the run is damaged; sound does not reach the model.
    """
    return train_phoneme_with(export, store, TrainOptions.of(**options), progress, notes, lines)


def train_phoneme_with(
    export: str | None,
    store: PathLike | None,
    options: TrainOptions,
    progress: Callable[[int, int], None] | None = None,
    notes: Callable[[str], None] | None = None,
    lines: Lines | None = None,
) -> RunResult | Preflight:
    """`train_phoneme` with options that are already parsed."""
    from ..runs.request import train_by_request
    from .config import PhonemeConfig
    from .train import phoneme

    return train_by_request(
        PhonemeConfig, phoneme, export, store, options, progress=progress, notes=notes, lines=lines
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltVocabulary:
    """A vocabulary that was built.

    Attributes:
        phones: Their counts, in the order in which the export has them first.
        rare: Labels that are no phones of it.
        tokens: Tokens of the extended tokenizer.
    """

    folder: Path
    export: str
    phone_set: str
    phones: dict[str, int]
    rare: dict[str, int]
    tokens: int


@described_by(BuildVocabularyOptions)
def phoneme_build_vocabulary(
    export: str, *, store: PathLike | None = None, **options: Unpack[PhonemeBuildVocabularyArguments]
) -> BuiltVocabulary:
    """Extend the tokenizer of a language model by the phones of an export.

        triptych.phoneme_build_vocabulary("phoneme@v1", model="Qwen/Qwen3-8B", out="phones")

    A run takes the folder as `model.tokenizer`; without one it builds the same of its own rows.

    Args:
        export: The export whose phones are counted: `NAME` or `NAME@vN`.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        {options}

    Raises:
        UsageError: There is no such export or model, no phone is there often enough, or the folder is taken.
        DamagedError: A file of the model or the export is damaged.
    """
    return phoneme_build_vocabulary_with(export, store, BuildVocabularyOptions.of(**options))


def phoneme_build_vocabulary_with(
    export: str, store: PathLike | None, options: BuildVocabularyOptions
) -> BuiltVocabulary:
    """`phoneme_build_vocabulary` with options that are already parsed."""
    from ...errors import UsageError
    from ..models.model_files import locate
    from ..models.model_loading import require_torch
    from .vocabulary import PhoneVocabulary, rows_of

    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise UsageError(f"{options.out} is there and not empty.", hint="name another folder, or remove it")
    rows = rows_of(export, store=store, allow_held_out=options.allow_held_out)
    require_torch("train")
    files = locate(options.model, revision=options.revision, download=options.download)
    made = PhoneVocabulary.of_export(rows, min_freq=options.min_freq)
    tokenizer = made.extended(files.folder)
    made.save(options.out, tokenizer, about={
        "min_freq": options.min_freq, "export": rows.where, "content_sha256": rows.reader.content_sha256,
        "model": options.model, "revision": files.revision,
    })  # fmt: skip
    return BuiltVocabulary(
        folder=options.out, export=rows.where, phone_set=made.phone_set, phones=dict(made.counts), rare=dict(made.rare),
        tokens=len(tokenizer),
    )  # fmt: skip


@described_by(PhonemeInferOptions)
def phoneme_infer(
    model: PathLike,
    *audio: PathLike,
    store: PathLike | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Unpack[PhonemeInferArguments],
) -> PhonemeInferResult:
    """Write down the phones of clips, or of the rows of an export.

        triptych.phoneme_infer("runs/phones", "sa1.wav", canonical="sh iy hh ae d")
        triptych.phoneme_infer("runs/phones", export="phoneme-test", phones="39", ignore_sil=True)

    Args:
        model: The folder of a run of `train_phoneme`, or of the model that `train_export` made of it.
        audio: Clips.
        store: The store of the export; default: `TRIPTYCH_STORE`, else `./store`.
        progress: Called with the number of clips that are heard, and their number.
        {options}

    Returns:
        The phones of each clip, each with its confidence; the phone error rate; scores of pronunciation.

    Raises:
        UsageError: There is no such model, clip or export; or phones cannot be folded.
        DamagedError: A file of the model is damaged.
    """
    return phoneme_infer_with(model, audio, store, PhonemeInferOptions.of(**options), progress)


def phoneme_infer_with(
    model: PathLike, audio: Sequence[PathLike], store: PathLike | None, options: PhonemeInferOptions,
    progress: Callable[[int, int], None] | None = None,
) -> PhonemeInferResult:  # fmt: skip
    """`phoneme_infer` with options that are already parsed."""
    from .infer import infer_phones

    return infer_phones(Path(model), [Path(each) for each in audio], options, store=store, progress=progress)
