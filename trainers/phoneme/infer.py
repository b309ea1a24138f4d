"""Phones of clips, or of the rows of an export; error rates, and scores of pronunciation.

A row that cannot be heard has an error and no phones; in the error rate all of its phones are missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...shards.media.integrity import check_as_stored
from ...shards.media.streams import MediaError
from ...shards.store.store import Store
from ...validators.metrics.error_rates import FIELDS, error_rate, phone_error_rate, phone_reader
from ...validators.metrics.metric import Pair
from ..data.bad_rows import BadRow
from ..data.turns import Clip
from ..evaluation.predictions import Prediction, write_predictions
from ..sft.conversation_encoder import EncoderSettings
from .decoder import Heard
from .options import PhonemeInferOptions
from .recognizer import PhoneRecognizer
from .scores.pronunciation import Pronunciation, assess
from .vocabulary import rows_of

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPhones:
    """The phones of one clip.

    Attributes:
        reference: The phones that the row of an export has, or that should be said; None: they are unknown.
        error: Why it could not be heard; None: it was.
    """

    id: str
    audio: str
    heard: Heard | None = None
    reference: str | None = None
    pronunciation: Pronunciation | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhonemeInferResult:
    """The phones of clips.

    Attributes:
        model, revision: Who heard them.
        per: The phone error rate over all clips whose phones are known; None: no clip has any.
        substitutions, deletions, insertions, reference_phones: What it is made of.
        phone_set, silence: The set that phones were folded to for it; whether silence was `kept` or `left out`.
    """

    out: Path | None
    model: str
    revision: str
    per: float | None
    substitutions: int
    deletions: int
    insertions: int
    reference_phones: int
    phone_set: str
    silence: str
    clips: tuple[ClipPhones, ...]

    @property
    def passed(self) -> bool:
        return all(clip.error is None for clip in self.clips)


@dataclass(frozen=True, slots=True)
class _Asked:
    id: str
    audio: str
    prompt: str | None
    reference: tuple[str, ...] | None
    fault: str | None = None


def infer_phones(
    folder: Path, audio: Sequence[Path], options: PhonemeInferOptions, *, store: Store | Path | str | None,
    progress: Progress | None = None,
) -> PhonemeInferResult:  # fmt: skip
    """Hear clips.

    Args:
        folder: Of a run, or of the model that was made of one.

    Raises:
        UsageError: There is no such model, clip or export; or phones cannot be folded.
        DamagedError: A file of the model is damaged.
    """
    asked = _asked(audio, options, store)
    metric = phone_error_rate(fold=options.phones, ignore_silence=options.ignore_sil)
    read = phone_reader(fold=options.phones, ignore_silence=options.ignore_sil)
    for each in asked:  # before a model is loaded
        read(" ".join(each.reference or ()), each.id)
    recognizer = PhoneRecognizer.open(
        folder, checkpoint=options.checkpoint, base=options.base, encoder=options.encoder, device=options.device,
        settings=EncoderSettings(long=options.long),
    )  # fmt: skip
    read(" ".join(recognizer.vocabulary.phones), f"{folder}: the vocabulary of the model")
    if options.export is not None:
        _check_references(asked, recognizer, options.export)
    clips = []
    counts = [0.0] * len(FIELDS)
    for number, each in enumerate(asked):
        clip = _heard(recognizer, each, options)
        clips.append(clip)
        if clip.reference is not None:
            said = None if clip.heard is None else clip.heard.text
            pair = Pair(where=each.id, reference=clip.reference, hypothesis=said, language=None)
            counts = [one + other for one, other in zip(counts, metric.count(pair).counts, strict=True)]
        if progress is not None:
            progress(number + 1, len(asked))
    if options.out is not None:
        write_predictions(options.out, _predictions(clips, recognizer, options))
    s, d, i, n = map(int, counts)
    return PhonemeInferResult(
        out=options.out, model=recognizer.name, revision=recognizer.revision, per=error_rate(counts), substitutions=s,
        deletions=d, insertions=i, reference_phones=n, phone_set=options.phones,
        silence="left out" if options.ignore_sil else "kept", clips=tuple(clips),
    )  # fmt: skip


def _asked(audio: Sequence[Path], options: PhonemeInferOptions, store: Store | Path | str | None) -> list[_Asked]:
    if (options.export is None) == (not audio):
        raise UsageError("Name clips, or an export with --export: one of the two.")
    if options.export is not None:
        return list(_rows(options, store))
    if options.canonical is not None and len(audio) > 1:
        raise UsageError(f"--canonical: the phones of one clip, and {len(audio)} clips.")
    canonical = None if options.canonical is None else tuple(options.canonical.split())
    if canonical == ():
        raise UsageError("--canonical: it names no phones.")
    for path in audio:
        if not path.is_file():
            raise UsageError(f"{path}: there is no such file.")
    named = Counter(path.name for path in audio)
    asked = [_Asked(path.name if named[path.name] == 1 else str(path), str(path), None, canonical) for path in audio]
    if len({each.id for each in asked}) < len(asked):
        raise UsageError("a clip is named twice.", hint="name each once")
    return asked


def _rows(options: PhonemeInferOptions, store: Store | Path | str | None) -> Iterator[_Asked]:
    assert options.export is not None
    rows = rows_of(options.export, store=store, allow_held_out=True)
    for number in range(len(rows) if options.limit is None else min(len(rows), options.limit)):
        try:
            row = rows[number]
        except BadRow as bad:
            yield _Asked(rows.id_of(number), "", None, None, f"{bad.reason}: {bad.detail}")
            continue
        clips = [each for each in row.media if isinstance(each, Clip)]
        fault = None if len(clips) == len(row.media) == 1 else f"not_one_clip: {len(row.media)} media"
        if fault is None:
            try:
                check_as_stored(Path(clips[0].path), clips[0].sha256)
            except MediaError as bad:
                fault = f"{bad.reason}: {bad.detail}"
        reference = tuple(row.turns[-1].text.split())
        yield _Asked(row.id, clips[0].path if clips else "", row.turns[-2].text.strip(), reference, fault)


def _check_references(asked: Sequence[_Asked], recognizer: PhoneRecognizer, export: str) -> None:
    """Raise UsageError if no answer of an export has a phone of the model: its answers are words, or other phones."""
    labels = {label for each in asked for label in each.reference or ()}
    if labels and labels.isdisjoint(recognizer.vocabulary.phones):
        raise UsageError(
            f"--export {export}: no label of its answers is a phone of the model: {' '.join(sorted(labels)[:8])} ...",
            hint="name an export of phones, in the set that the model writes: triptych export phoneme",
        )


def _heard(recognizer: PhoneRecognizer, asked: _Asked, options: PhonemeInferOptions) -> ClipPhones:
    reference = None if asked.reference is None else " ".join(asked.reference)
    is_scored = asked.reference is not None and (options.canonical is not None or options.pronunciation)
    error = asked.fault
    if error is None:
        prompt = options.prompt or (asked.prompt if recognizer.asks_rows else None) or recognizer.prompt
        try:
            heard = recognizer.decoder.hear(
                Path(asked.audio), prompt=prompt, canonical=asked.reference if is_scored else None
            )
        except (MediaError, BadRow) as bad:
            error = f"{bad.reason}: {bad.detail}"
        else:
            silence = recognizer.vocabulary.silence
            scores = assess(asked.reference or (), heard, silence=silence) if is_scored else None
            return ClipPhones(
                id=asked.id, audio=asked.audio, heard=heard, reference=reference, pronunciation=scores
            )  # fmt: skip
    return ClipPhones(id=asked.id, audio=asked.audio, reference=reference, error=error)


def _predictions(
    clips: Sequence[ClipPhones], recognizer: PhoneRecognizer, options: PhonemeInferOptions
) -> Iterator[Prediction]:
    made = {"model": recognizer.name, "revision": recognizer.revision, "export": options.export}
    for clip in clips:
        fields: dict[str, Any] = {name: value for name, value in made.items() if value is not None}
        if (heard := clip.heard) is not None:
            fields["confidences"] = [round(each.confidence, 6) for each in heard.phones]
            fields |= {"confidence_of_end": round(heard.end, 6), "finish": heard.finish, "seconds": heard.seconds}
            if heard.cut_seconds:
                fields["cut_seconds"] = round(heard.cut_seconds, 3)
        if clip.pronunciation is not None:
            fields["pronunciation"] = asdict(clip.pronunciation)
        yield Prediction(
            id=clip.id, audio=clip.audio or None, prediction=None if clip.heard is None else clip.heard.text,
            error=clip.error, gt=clip.reference, fields=fields,
        )  # fmt: skip
