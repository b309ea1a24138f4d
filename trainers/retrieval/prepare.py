"""A run before its first step: clips with the vectors of encoders as they are, steps, model, what of it is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError, amount
from ...shards.store.store import Store
from ..data.bad_rows import REFUSE, BadRows
from ..runs.preflight.findings import refuse
from ..runs.preflight.overlap import NAMED, overlap
from .config import SLICE, ContrastiveConfig
from .model.encoders import SpeechEncoder, TextEncoder, device_here, speech_encoder, text_encoder
from .model.model_inputs import Given, HeldVectors, Sounds, Texts
from .model.row_vectors import RowVectors, row_vectors
from .model.sonar import is_sonar, sonar_encoder
from .model.trained_parts import SPEECH_ENCODER, TEXT_ENCODER, prepare_training, trained_encoders
from .objective.clip_steps import Clips, ClipSteps
from .objective.hard_negatives import NearTerms
from .objective.loss import ContrastiveLoss
from .scores.measure import RetrievalMeasure
from .term_rows import TEST, TRAIN, VALIDATION, TermRow, TermRows

if TYPE_CHECKING:
    from ..models.stages import TrainingPlan
    from ..runs.preflight.findings import Finding
    from .model.retrieval_model import RetrievalModel


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A run before its first step.

    Attributes:
        vectors: By the encoders as they are before it.
        glossary: What the model takes of every term.
        alike: The term that stands for each: the first that is read as it is.
        model: What is trained, and `trained` which of its parameters.
        seen: Terms that training clips name, whether they were cut around them or not, and all read as these are.
    """

    rows: TermRows
    speech: SpeechEncoder
    text: TextEncoder
    vectors: RowVectors
    glossary: Given
    alike: dict[str, str]
    steps: ClipSteps
    measures: list[RetrievalMeasure]
    seen: frozenset[str]
    model: RetrievalModel
    trained: TrainingPlan
    near: NearTerms | None
    objective: ContrastiveLoss


@dataclass(frozen=True, slots=True)
class Encoders:
    """The encoders of a run."""

    speech: SpeechEncoder
    text: TextEncoder

    @classmethod
    def open(cls, config: ContrastiveConfig) -> Encoders:
        model, section = config.model, config.retrieval
        seed = config.training.seed if section.random_speech else None
        if is_sonar(model.base_model):
            speech: SpeechEncoder = sonar_encoder(model.base_model, download=model.download, random_seed=seed)
        else:
            speech = speech_encoder(model.base_model, revision=model.revision, download=model.download,
                                    random_seed=seed, dtype=model.dtype)  # fmt: skip
        if SPEECH_ENCODER in trained_encoders(config) and not speech.can_be_trained:
            raise UsageError(
                f"{model.base_model}: this encoder of speech is not trained, only its projection.",
                hint="remove retrieval.unfreeze_layers and the section lora, or name a Whisper or a Qwen2-Audio",
            )
        if section.random_control and not speech.can_be_trained:
            raise UsageError(
                f"retrieval.random_control: {model.base_model} is not made with random weights.",
                hint="--set retrieval.random_control=false",
            )
        return cls(
            speech,
            text_encoder(text_model(config), revision=text_tag(config), download=model.download, dtype=model.dtype),
        )  # fmt: skip


def text_model(config: ContrastiveConfig) -> str:
    """The encoder of texts, by its name or folder.

    Raises:
        UsageError: The speech encoder reads no texts, and no other is named.
    """
    if config.retrieval.text_model is None and is_sonar(config.model.base_model):
        raise UsageError(
            f"{config.model.base_model} reads no texts.", hint="name an encoder of text: retrieval.text_model"
        )
    return config.retrieval.text_model or config.model.base_model


def text_tag(config: ContrastiveConfig) -> str | None:
    section = config.retrieval
    return section.text_revision if section.text_model is not None else config.model.revision


def open_rows(config: ContrastiveConfig, store: Store) -> TermRows:
    """The chunks of a run.

    Raises:
        UsageError: None of them is for training.
    """
    rows = TermRows.open(config.data.train, store=store)
    if not rows.of(TRAIN):
        raise UsageError(f"{rows.reader.version.reference}: no row is of a training split.")
    return rows


def shared_sound(config: ContrastiveConfig, rows: TermRows) -> Iterator[Finding]:
    """Yield what training and tests have in common: the clips themselves, or the recordings that they were cut from."""
    for what, of in (("clip", lambda row: str(row.audio)), ("recording", lambda row: row.source)):
        trained = {of(row) for row in rows.of(TRAIN)}
        shared = sorted({of(row) for role in (VALIDATION, TEST) for row in rows.of(role)} & trained)
        if shared:
            named = ", ".join(shared[:NAMED]) + (" ..." if len(shared) > NAMED else "")
            yield overlap(config, f"{amount(len(shared), what, 'are')} trained on and measured on: {named}")
            return


def prepare(
    config: ContrastiveConfig, store: Store, *, cache: Path, again: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:  # fmt: skip
    """Open the encoders and the export of a run, and encode every clip and text once.

    Args:
        again: As for `row_vectors`.

    Raises:
        UsageError: An encoder or the export is not here, or cannot be trained (on) like this.
        ProblemsFound: Clips cannot be heard, and are not to be left out.
    """
    rows = open_rows(config, store)
    refuse(shared_sound(config, rows))  # before hours of encoding
    encoders = Encoders.open(config)
    vectors = row_vectors(
        rows,
        encoders.speech,
        encoders.text,
        field=config.retrieval.text_field,
        cache=cache,
        again=again,
        progress=progress,
    )
    if vectors.left_out and config.data.bad_rows == REFUSE:
        raise BadRows(rows.reader.version.reference, vectors.left_out)
    return prepared_of(config, rows, encoders, vectors)


def prepared_of(
    config: ContrastiveConfig, rows: TermRows, encoders: Encoders, vectors: RowVectors
) -> Prepared:  # fmt: skip
    """The steps and the model of rows that were encoded."""
    numbers = training_numbers(config, vectors.rows)
    given = _Givens(config, rows, encoders, vectors)
    training, section = config.training, config.retrieval
    alike = rows.alike(section.text_field, encoders.text.tokens)
    places = {term: number for number, term in enumerate(rows.glossary)}
    clips = Clips(
        [vectors.rows[number] for number in numbers], given.sounds(numbers), given.words(numbers), given.terms(),
        {term: places[first] for term, first in alike.items()},
    )  # fmt: skip
    steps = ClipSteps(
        clips, training.batch_size, training.gradient_accumulation_steps, training.epochs, training.seed,
        training.max_steps,
    )  # fmt: skip
    trained_on = {alike[term] for row in clips.rows for term in (*row.terms, *row.other_terms)}
    seen = frozenset(term for term in rows.glossary if alike[term] in trained_on)
    model = _model(config, encoders, vectors, numbers, sorted(places[term] for term in trained_on))
    trained = prepare_training(model, config)
    near = None
    if section.enable_hard_neg and section.hard_neg_source == "glossary":
        near = NearTerms.of(
            clips.terms, candidates_of(rows, clips.rows, alike), trained, count=section.hard_neg_count,
            every=section.hard_neg_refresh_steps or steps.of_epoch,
        )  # fmt: skip
    objective = ContrastiveLoss(section.losses, section.hard_neg_count if section.enable_hard_neg else None, near)
    return Prepared(
        rows, encoders.speech, encoders.text, vectors, clips.terms, alike, steps,
        _measures(config, given, alike, seen), seen, model, trained, near, objective,
    )  # fmt: skip


def training_numbers(config: ContrastiveConfig, rows: Sequence[TermRow]) -> list[int]:
    """The rows that are trained on."""
    section = config.retrieval
    numbers = [number for number, row in enumerate(rows) if row.role == TRAIN and (row.terms or section.enable_no_term)]
    return numbers[:SLICE] if section.single_slice else numbers


def candidates_of(rows: TermRows, trained_on: Sequence[TermRow], alike: dict[str, str]) -> list[int]:
    """The rows of the glossary among which near terms are looked for: a term that only tests name stays out of
    training, as something that no clip says too. Of terms that are read alike it is the first."""

    def named(own: Iterable[TermRow]) -> set[str]:
        return {alike[term] for row in own for term in (*row.terms, *row.other_terms)}

    trained, tested = named(trained_on), named(row for row in rows.rows if row.role != TRAIN)
    return [number for number, term in enumerate(rows.glossary)
            if alike[term] == term and (term in trained or term not in tested)]  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Givens:
    """What the model takes of clips and texts: their vectors, or what a trained encoder takes."""

    config: ContrastiveConfig
    rows: TermRows
    encoders: Encoders
    vectors: RowVectors

    def sounds(self, numbers: Sequence[int]) -> Given:
        if SPEECH_ENCODER in trained_encoders(self.config):
            return Sounds([self.vectors.rows[number] for number in numbers], self.encoders.speech)
        return HeldVectors(self.vectors.audio[list(numbers)])

    def words(self, numbers: Sequence[int]) -> Given:
        if TEXT_ENCODER in trained_encoders(self.config):
            return Texts([self.vectors.rows[number].text for number in numbers], self.encoders.text)
        return HeldVectors(self.vectors.texts[list(numbers)])

    def terms(self, numbers: Sequence[int] | None = None) -> Given:
        numbers = range(len(self.rows.glossary)) if numbers is None else numbers
        if TEXT_ENCODER in trained_encoders(self.config):
            terms = [self.rows.glossary[number] for number in numbers]
            return Texts(self.rows.texts_of(terms, self.config.retrieval.text_field), self.encoders.text)
        return HeldVectors(self.vectors.terms[list(numbers)])


def _measures(
    config: ContrastiveConfig, given: _Givens, alike: dict[str, str], seen: frozenset[str]
) -> list[RetrievalMeasure]:  # fmt: skip
    section, rows, vectors = config.retrieval, given.rows, given.vectors
    glossary = [number for number, term in enumerate(rows.glossary) if alike[term] == term]
    if not section.enable_full_eval:
        named = {alike[term] for row in vectors.rows for term in (*row.terms, *row.other_terms)}
        glossary = [number for number in glossary if rows.glossary[number] in named]
    terms = [rows.glossary[number] for number in glossary]
    found = []
    for role in (VALIDATION, TEST):
        numbers = [number for number, row in enumerate(vectors.rows) if row.role == role]
        if numbers:
            found.append(RetrievalMeasure(
                role, [[alike[term] for term in vectors.rows[number].terms] for number in numbers],
                given.sounds(numbers), terms, given.terms(glossary), seen, section.threshold, config.training.seed,
                role == VALIDATION,
            ))  # fmt: skip
    return found


def _model(
    config: ContrastiveConfig, encoders: Encoders, vectors: RowVectors, clips: Sequence[int], terms: Sequence[int]
) -> RetrievalModel:  # fmt: skip
    """The model of a run; its projections take mean and spread of the vectors of these clips and terms."""
    import numpy as np
    import torch
    from transformers import set_seed

    from .model.retrieval_model import RetrievalModel

    own = trained_encoders(config)
    set_seed(config.training.seed)
    speech = encoders.speech.model if SPEECH_ENCODER in own else None
    text = encoders.text.model if TEXT_ENCODER in own else None
    model = RetrievalModel(
        encoders.speech.width, encoders.text.width, config.retrieval.dimension, speech_encoder=speech, text_encoder=text
    )
    model.speech.fit(torch.from_numpy(vectors.audio[list(clips)]))
    model.text.fit(torch.from_numpy(np.concatenate([vectors.texts[list(clips)], vectors.terms[list(terms)]])))
    if config.model.gradient_checkpointing:
        for encoder in (speech, text):
            if encoder is not None:
                encoder.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    placed: RetrievalModel = model.to(device_here())
    return placed
