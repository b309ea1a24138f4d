"""A retriever: encoders, trained projections and the index of a glossary, in a folder that a run hands on.

The folder holds what was trained: projections, and the weights of encoders that differ from those of their models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import DamagedError, UsageError
from ....shards.media.media import hash_file
from ...models.training_model import AUTO as BEST
from ..model.encoders import SpeechEncoder, TextEncoder, speech_encoder, text_encoder
from ..model.model_inputs import AUDIO, TEXT, HeldVectors, projected
from ..model.sonar import is_sonar, sonar_encoder
from ..model.trained_parts import SPEECH_ENCODER, TEXT_ENCODER, load_encoder, save_encoders
from ..term_rows import Entries, texts_of
from .glossary_index import AUTO, INDEX, TERMS, GlossaryIndex
from .long_sound import HeardTerm, terms_by_window

if TYPE_CHECKING:
    from ...data.sound import Samples
    from ..model.retrieval_model import RetrievalModel
    from ..scores.metrics import Vectors
    from .glossary_index import Found

FOLDER, SETTINGS, WEIGHTS = "retriever", "retriever.json", "projections.safetensors"
ENCODERS = "encoders.safetensors"
"""Weights of encoders that training has changed."""
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrieverSettings:
    """What a folder says of its retriever.

    Attributes:
        random_seed: That of random weights in the speech encoder; None: it has the model's.
        text_field: What stands for a term in the glossary of its run.
        threshold: The cosine under which no term is said.
        trained: Encoders that were trained: `encoders.safetensors` has their weights.
        dtype: What encoders computed in, as the configuration says it.
        files: The SHA-256 of its files: a vector says nothing beside the weights and terms of another retriever.
    """

    speech: str
    speech_revision: str
    text: str
    text_revision: str
    dimension: int
    text_field: str
    threshold: float
    files: Mapping[str, str] = field(default_factory=dict)
    speech_tag: str | None = None
    text_tag: str | None = None
    random_seed: int | None = None
    trained: Sequence[str] = ()
    dtype: str = BEST
    format: int = _FORMAT


@dataclass(frozen=True, slots=True, eq=False)
class Retriever:
    """Finds the terms that a clip names."""

    settings: RetrieverSettings
    speech: SpeechEncoder
    model: RetrievalModel
    index: GlossaryIndex

    @classmethod
    def open(cls, folder: Path, *, glossary: Entries | None = None, kind: str = AUTO) -> Retriever:
        """Open the retriever of a run.

        Args:
            folder: The run, or its folder `retriever`.
            glossary: Terms to search instead of those of the run, with their entries; their index is built of what
                stood for terms in training, which entries have.
            kind: Of that index.

        Raises:
            UsageError: The folder holds none; an encoder is not here; a term has no description where one is read.
            DamagedError: A file of it is damaged, or an encoder is not the one that it was trained with.
        """
        folder = folder / FOLDER if (folder / FOLDER).is_dir() else folder
        settings = _settings(folder)
        terms = [] if glossary is None else list(glossary)
        texts = texts_of(
            terms, glossary or {}, settings.text_field, where="--glossary",
            hint=f"this retriever was trained on each term's {settings.text_field}: name a glossary that has them",
        )  # fmt: skip
        _check_files(folder, settings, [WEIGHTS, *([ENCODERS] if settings.trained else ()),
                                        *((INDEX, TERMS) if glossary is None else ())])  # fmt: skip
        if is_sonar(settings.speech):
            speech: SpeechEncoder = sonar_encoder(settings.speech, download=True)  # as for its training
        else:
            speech = speech_encoder(
                settings.speech, revision=settings.speech_tag, random_seed=settings.random_seed, dtype=settings.dtype
            )
        _check_same("speech", settings.speech, settings.speech_revision, speech.revision)
        if SPEECH_ENCODER in settings.trained:
            load_encoder(speech.model, SPEECH_ENCODER, folder / ENCODERS)
        if glossary is None:
            return cls(settings, speech, _model(folder, settings, speech, None), GlossaryIndex.load(folder))
        text = text_encoder(settings.text, revision=settings.text_tag, dtype=settings.dtype)
        _check_same("text", settings.text, settings.text_revision, text.revision)
        if TEXT_ENCODER in settings.trained:
            load_encoder(text.model, TEXT_ENCODER, folder / ENCODERS)
        model = _model(folder, settings, speech, text)
        vectors = projected(model, HeldVectors(text.vectors(texts)), TEXT)
        return cls(settings, speech, model, GlossaryIndex.of(terms, vectors, kind=kind))

    def vectors(self, clips: Sequence[Samples]) -> Vectors:
        """The projected vectors of clips."""
        import numpy as np

        return projected(self.model, HeldVectors(np.stack([self.speech.vector(clip) for clip in clips])), AUDIO)

    def terms_in(self, path: Path, *, top: int, threshold: float, window_s: float) -> list[HeardTerm]:
        """The terms that a recording names, by the time at which they are heard and then nearest first.

        Args:
            top: The most terms of a window.
            window_s: The longest clip that is heard as one.

        Raises:
            MediaError: It cannot be heard.
        """

        def search(clip: Samples) -> list[Found]:
            [found] = self.index.search(self.vectors([clip]), top=top, threshold=threshold)
            return found

        return terms_by_window(path, self.speech.rate, min(window_s, self.speech.heard_s), search)


def save(
    folder: Path, settings: RetrieverSettings, model: RetrievalModel, index: GlossaryIndex, changed: Sequence[str] = ()
) -> None:  # fmt: skip
    """Write a retriever into a folder; what is there of an earlier one is replaced.

    Args:
        model: With adapters merged.
        changed: Weights of encoders that training has changed, by their names in the model.
    """
    from dataclasses import asdict

    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS).unlink(missing_ok=True)  # it is written last: without it there is no retriever
    parts = {"speech": model.speech, "text": model.text}
    save_file(
        {f"{part}.{name}": value.cpu() for part, each in parts.items() for name, value in each.state_dict().items()},
        folder / WEIGHTS,
    )
    if changed:
        save_encoders(model, changed, folder / ENCODERS)
    index.save(folder)
    written = [WEIGHTS, INDEX, TERMS, *([ENCODERS] if changed else ())]
    settings = replace(settings, files={name: hash_file(folder / name)[0] for name in written})
    (folder / SETTINGS).write_text(json.dumps(asdict(settings), indent=1), encoding="utf-8")


def _settings(folder: Path) -> RetrieverSettings:
    path = folder / SETTINGS
    if not path.is_file():
        raise UsageError(
            f"{folder} holds no retriever.", hint="triptych train contrastive makes one, when it has finished"
        )
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        found = RetrieverSettings(**{**told, "trained": tuple(told.get("trained", ()))})
    except (ValueError, TypeError) as error:
        raise DamagedError(f"{path}: {error}.", hint="train it again") from error
    if found.format != _FORMAT:
        raise UsageError(f"{path}: its format {found.format} is not known to this version.", hint="train it again")
    return found


def _check_files(folder: Path, settings: RetrieverSettings, names: Sequence[str]) -> None:
    """Hold files against what was written with the settings."""
    for name in names:
        path = folder / name
        if not path.is_file():
            raise DamagedError(f"{path}: missing.", hint="train it again")
        if hash_file(path)[0] != settings.files.get(name):
            raise DamagedError(
                f"{path}: changed since it was written, or of another retriever.",
                hint="put it back, or train again"
                if name not in (INDEX, TERMS)
                else "put it back, or train again; a glossary of your own is searched with --glossary FILE",
            )


def _model(
    folder: Path, settings: RetrieverSettings, speech: SpeechEncoder, text: TextEncoder | None
) -> RetrievalModel:
    """The projections of a folder; its encoders make the vectors."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from ..model.retrieval_model import RetrievalModel

    try:
        state = load_file(folder / WEIGHTS)
        width = int(state["text.mean"].shape[0]) if text is None else text.width
        made: RetrievalModel = RetrievalModel(speech.width, width, settings.dimension)
        made.load_state_dict(state)
    except (OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise DamagedError(f"{folder / WEIGHTS}: {str(error).splitlines()[0]}.", hint="train it again") from error
    made.eval()
    return made


def _check_same(what: str, name: str, then: str, now: str) -> None:
    if then != now:
        raise DamagedError(
            f"the {what} encoder {name} is not the one that the retriever was trained with: {then} then, {now} now.",
            hint="put the model back, or train again",
        )
