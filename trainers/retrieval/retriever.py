"""A retriever: encoders, trained projections and the index of a glossary, in a folder that a run hands on.

A long recording is heard in windows that overlap by half; a term that neighbouring windows hear is one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DamagedError, UsageError
from ..data.sound import read_sound
from .encoders import SpeechEncoder, TextEncoder, speech_encoder, text_encoder
from .glossary_index import AUTO, GlossaryIndex

if TYPE_CHECKING:
    from ..data.sound import Samples
    from .metrics import Vectors
    from .projections import Projections

FOLDER, SETTINGS, WEIGHTS = "retriever", "retriever.json", "projections.safetensors"
_FORMAT = 1
_BATCH = 8192


@dataclass(frozen=True, slots=True)
class HeardTerm:
    """A term that was heard in a clip, with the seconds of the windows that it was heard in."""

    term: str
    cosine: float
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrieverSettings:
    """What a folder says of its retriever.

    Attributes:
        random_seed: That of random weights in the speech encoder; None: it has the model's.
        text_field: What stands for a term in the glossary of its run.
        threshold: The cosine under which no term is said.
    """

    speech: str
    speech_revision: str
    text: str
    text_revision: str
    dimension: int
    text_field: str
    threshold: float
    speech_tag: str | None = None
    text_tag: str | None = None
    random_seed: int | None = None
    format: int = _FORMAT


@dataclass(frozen=True, slots=True, eq=False)
class Retriever:
    """Finds the terms that a clip names."""

    settings: RetrieverSettings
    speech: SpeechEncoder
    projections: Projections
    index: GlossaryIndex

    @classmethod
    def open(cls, folder: Path, *, glossary: Sequence[str] | None = None, kind: str = AUTO) -> Retriever:
        """Open the retriever of a run.

        Args:
            folder: The run, or its folder `retriever`.
            glossary: Terms to search instead of those of the run; their index is built.
            kind: Of that index.

        Raises:
            UsageError: The folder holds none; an encoder is not here.
            DamagedError: A file of it is damaged, or an encoder is not the one that it was trained with.
        """
        folder = folder / FOLDER if (folder / FOLDER).is_dir() else folder
        settings = _settings(folder)
        speech = speech_encoder(settings.speech, revision=settings.speech_tag, random_seed=settings.random_seed)
        _check_same("speech", settings.speech, settings.speech_revision, speech.revision)
        if glossary is None:
            index = GlossaryIndex.load(folder)
            projections = _projections(folder, settings, speech, None)
        else:
            text = text_encoder(settings.text, revision=settings.text_tag)
            _check_same("text", settings.text, settings.text_revision, text.revision)
            projections = _projections(folder, settings, speech, text)
            index = GlossaryIndex.of(glossary, projected(projections.text, text.vectors(glossary)), kind=kind)
        return cls(settings, speech, projections, index)

    def vectors(self, clips: Sequence[Samples]) -> Vectors:
        """The projected vectors of clips."""
        import numpy as np

        return projected(self.projections.speech, np.stack([self.speech.vector(clip) for clip in clips]))

    def terms_in(
        self, path: Path, *, top: int, threshold: float, window_s: float
    ) -> list[HeardTerm]:  # fmt: skip
        """The terms that a recording names, by the time at which they are heard and then nearest first.

        Args:
            top: The most terms of a window.
            window_s: The longest clip that is heard as one.

        Raises:
            MediaError: It cannot be heard.
        """
        rate = self.speech.rate
        samples = read_sound(path, rate)
        spoken: list[HeardTerm] = []
        open_until: dict[str, int] = {}
        for start, end in windows(len(samples), round(min(window_s, self.speech.heard_s) * rate)):
            [found] = self.index.search(self.vectors([samples[start:end]]), top=top, threshold=threshold)
            for each in found:
                place = open_until.get(each.term)
                if place is not None and spoken[place].end_s * rate > start - 1:
                    before = spoken[place]
                    spoken[place] = HeardTerm(
                        each.term, max(before.cosine, each.cosine), before.start_s, round(end / rate, 3)
                    )
                else:
                    open_until[each.term] = len(spoken)
                    spoken.append(HeardTerm(each.term, each.cosine, round(start / rate, 3), round(end / rate, 3)))
        return sorted(spoken, key=lambda each: (each.start_s, -each.cosine))


def windows(samples: int, longest: int) -> Iterator[tuple[int, int]]:
    """Where windows begin and end: one of a short clip; else each begins in the middle of the one before."""
    start, hop = 0, max(1, longest // 2)
    while start + longest < samples:
        yield start, start + longest
        start += hop
    yield max(0, min(start, samples - longest)), samples


def projected(projection: Any, vectors: Vectors) -> Vectors:
    """Vectors after a projection."""
    import numpy as np
    import torch

    found = []
    with torch.no_grad():
        for start in range(0, len(vectors), _BATCH):
            part = torch.from_numpy(vectors[start : start + _BATCH]).to(projection.mean.device)
            found.append(projection(part).cpu().numpy())
    return np.concatenate(found)


def save(folder: Path, settings: RetrieverSettings, projections: Projections, index: GlossaryIndex) -> None:
    """Write a retriever into a folder; what is there of an earlier one is replaced."""
    from dataclasses import asdict

    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS).unlink(missing_ok=True)  # it is written last: without it there is no retriever
    save_file(dict(projections.state_dict()), folder / WEIGHTS)
    index.save(folder)
    (folder / SETTINGS).write_text(json.dumps(asdict(settings), indent=1), encoding="utf-8")


def _settings(folder: Path) -> RetrieverSettings:
    path = folder / SETTINGS
    if not path.is_file():
        raise UsageError(
            f"{folder} holds no retriever.", hint="triptych train contrastive makes one, when it has finished"
        )
    try:
        found = RetrieverSettings(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise DamagedError(f"{path}: {error}.", hint="train it again") from error
    if found.format != _FORMAT:
        raise UsageError(f"{path}: its format {found.format} is not known to this version.", hint="train it again")
    return found


def _projections(
    folder: Path, settings: RetrieverSettings, speech: SpeechEncoder, text: TextEncoder | None
) -> Projections:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from .projections import Projections

    try:
        state = load_file(folder / WEIGHTS)
        width = int(state["text.mean"].shape[0]) if text is None else text.width
        made: Projections = Projections(speech.width, width, settings.dimension)
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
