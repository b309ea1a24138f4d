"""Rows to the inputs of a model: what all families share.

An encoder holds a folder and settings; the tokenizer and the extractor are opened from the folder where it is used, so
that it travels to worker processes. What a row takes is known from headers before anything is decoded; what is decoded
is counted again, and the tokens that stand for a clip are those that its features become.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...shards.budgets.measure import measure
from ...shards.media.fence import fenced
from ...shards.media.integrity import check_as_stored
from ...shards.media.streams import MediaError
from ..data.encoder import BadRow, RowLength
from ..data.sound import CUT, REFUSE, fit, read_sound
from ..data.training_rows import TrainingRow
from ..data.turns import Clip, Medium, Picture, Video
from ..models.model_files import settings_fingerprint
from .conversation_text import END, END_OF_TEXT, START, ChatForm, Form, Piece
from .labels import IGNORED, Tokens, tokens_of

if TYPE_CHECKING:
    import torch

    from ..data.sound import Samples

FULL, BATCH = "full", "batch"
AUDIO_PADDING = (FULL, BATCH)
MAX_TOKENS = 8192
_KNOWN_IDS = (151_643, 151_644, 151_645)
"""Of the first tokens that the Qwen models add to their vocabulary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSettings:
    """How rows are encoded.

    Attributes:
        max_tokens: A row with more tokens, media included, is a bad row.
        max_audio_seconds: The longest clip; None: what the model hears.
        long: What is done about a longer clip: `refuse` or `cut`.
        audio_padding: Clips of Qwen2-Audio are padded to the 30 s of its encoder (`full`), or to the longest of the
            batch (`batch`), for an encoder that takes it.
        template: `chat` or `raw`; None: what the model's files say.
    """

    max_tokens: int = MAX_TOKENS
    max_audio_seconds: float | None = None
    long: str = REFUSE
    audio_padding: str = FULL
    template: str | None = None

    def __post_init__(self) -> None:
        if self.long not in (REFUSE, CUT):
            raise UsageError(f"data.long: {self.long!r} is neither {REFUSE} nor {CUT}.")
        if self.audio_padding not in AUDIO_PADDING:
            raise UsageError(f"model.audio_padding: {self.audio_padding!r} is neither {FULL} nor {BATCH}.")


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """The inputs of one row.

    Attributes:
        id: The row's.
        input_ids, labels: Shape (tokens,); a label of -100 is not trained.
        media: What its media are to the model, by the names of the family.
        cut_seconds: Seconds of sound that were left out, where clips are cut.
    """

    id: str
    input_ids: torch.Tensor
    labels: torch.Tensor
    media: Mapping[str, Any] = field(default_factory=dict)
    cut_seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def trained_tokens(self) -> int:
        return int((self.labels != IGNORED).sum())


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A stretch of what a model reads: its text, whether it is trained, whether it stands for media, and its tokens."""

    text: str
    is_trained: bool
    is_placeholder: bool
    tokens: int


@dataclass(frozen=True, slots=True)
class Expanse:
    """What a medium takes: its tokens, and seconds of sound, heard and left out."""

    tokens: int
    seconds: float = 0.0
    cut_seconds: float = 0.0


class ConversationEncoder(ABC):
    """Makes the inputs of conversations; a family says how it writes them and what its media become."""

    family: str
    rate = 16_000

    def __init__(self, folder: Path, settings: EncoderSettings | None = None) -> None:
        self.folder = Path(folder)
        self.settings = settings or EncoderSettings()

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "settings": self.settings}

    @cached_property
    def signature(self) -> str:
        """What lengths depend on: the family, its tokenizer and processor, and the settings."""
        told = [self.family, settings_fingerprint(self.folder), *map(str, astuple(self.settings))]
        return hashlib.sha256("\0".join(told).encode()).hexdigest()

    @property
    def budget_model(self) -> str | None:
        """The model whose budgets of an export are the lengths of rows; None: none."""
        return None

    @property
    def max_tokens(self) -> int:
        """The longest row that is taken."""
        return self.settings.max_tokens

    @property
    def max_audio_seconds(self) -> float | None:
        """The longest clip that is taken whole; None: any."""
        return None

    # ---- what a family says

    @property
    @abstractmethod
    def form(self) -> Form:
        """How it writes conversations."""

    def expanse(self, medium: Medium) -> Expanse:
        """What a medium takes, from its header."""
        raise BadRow("media_unsupported", "the model reads text alone")

    def features(self, medium: Medium) -> tuple[Any, Sequence[int], float]:
        """A decoded medium as the model takes it, its tokens, and the seconds of sound that were left out."""
        raise BadRow("media_unsupported", "the model reads text alone")

    def row_media(self, features: Sequence[Any], tokens: Tokens) -> dict[str, Any]:
        """The media of one row."""
        return {}

    def join_media(self, rows: Sequence[Encoded], width: int) -> dict[str, Any]:
        """The inputs of media of several rows.

        Args:
            width: The tokens to which rows are padded.
        """
        return {}

    @cached_property
    def placeholders(self) -> frozenset[int]:
        """The tokens that stand for media."""
        return frozenset()

    # ---- what all families share

    @cached_property
    def tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        from ..models.model_loading import check_tokenizer, damage_of, quiet_transformers

        with quiet_transformers(), damage_of(self.folder):
            found = AutoTokenizer.from_pretrained(self.folder)
        check_tokenizer(found, self.folder)
        return found

    @cached_property
    def pad_id(self) -> int:
        """The token of padding, which is never attended to."""
        found = self.tokenizer.pad_token_id
        return int(found if found is not None else self.tokenizer.eos_token_id or 0)

    def length(self, row: TrainingRow) -> RowLength:
        """What a row takes, from headers and closed formulas.

        Raises:
            BadRow: It cannot be trained on.
        """
        pieces = self.form.pieces(row.turns)
        found = {place: self._expanse(piece.medium) for place, piece in _media(pieces)}
        tokens = tokens_of(pieces, self.tokenizer, {place: [0] * each.tokens for place, each in found.items()})
        self._check_length(len(tokens.ids))
        media = row.media
        kinds = {"audio": any(isinstance(each, Clip) or _sounds(each) for each in media),
                 "image": any(isinstance(each, Picture) for each in media),
                 "video": any(isinstance(each, Video) for each in media)}  # fmt: skip
        return RowLength(
            tokens=len(tokens.ids),
            seconds=round(sum(each.seconds for each in found.values()), 3),
            modalities=tuple(kind for kind, is_there in kinds.items() if is_there),
            cut_seconds=round(sum(each.cut_seconds for each in found.values()), 3),
        )

    def encode(self, row: TrainingRow) -> Encoded:
        """Decode the media of a row and make its inputs.

        Raises:
            BadRow: It cannot be trained on.
        """
        pieces = self.form.pieces(row.turns)
        return self._encoded(row.id, pieces, self._decoded(pieces))

    def encode_pair(self, row: TrainingRow) -> tuple[Encoded, Encoded]:
        """The chosen and the rejected side of a row: the same prompt and the same features; only the last answers are
        trained.

        Raises:
            BadRow: It cannot be trained on, or has no rejected side.
        """
        if row.rejected is None:
            raise BadRow("no_pair", "the row has no rejected answer")
        if row.rejected.text.split() == row.turns[-1].text.split():
            raise BadRow("no_preference", "both answers are the same")
        chosen = _last_only(self.form.pieces(row.turns))
        rejected = _last_only(self.form.pieces((*row.turns[:-1], row.rejected)))
        decoded = self._decoded(chosen)
        return self._encoded(row.id, chosen, decoded), self._encoded(row.id, rejected, decoded)

    def join(self, encoded: Sequence[Encoded]) -> dict[str, Any]:
        """The inputs of several rows as one batch of tensors, padded on the right."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        lengths = torch.tensor([len(row) for row in encoded])
        width = int(lengths.max())
        return {
            "input_ids": pad_sequence([row.input_ids for row in encoded], batch_first=True, padding_value=self.pad_id),
            "attention_mask": (torch.arange(width) < lengths[:, None]).long(),
            "labels": pad_sequence([row.labels for row in encoded], batch_first=True, padding_value=IGNORED),
            **self.join_media(encoded, width),
        }

    def marked_text(self, encoded: Encoded) -> list[MarkedText]:
        """What a model reads of a row, in stretches; of the tokens of a medium one, and how often it stands there."""
        found: list[MarkedText] = []
        ids, labels = encoded.input_ids.tolist(), encoded.labels.tolist()
        kinds = [(label != IGNORED, token in self.placeholders) for token, label in zip(ids, labels, strict=True)]
        start = 0
        for place in range(1, len(ids) + 1):
            if place < len(ids) and kinds[place] == kinds[start]:
                continue
            is_trained, is_placeholder = kinds[start]
            if is_placeholder:
                names = dict.fromkeys(ids[start:place])
                text = " ".join(f"{self.tokenizer.decode([each])}×{ids[start:place].count(each)}" for each in names)
            else:
                text = str(self.tokenizer.decode(ids[start:place]))
            found.append(MarkedText(text, is_trained, is_placeholder, place - start))
            start = place
        return found

    def _decoded(self, pieces: Sequence[Piece]) -> dict[int, tuple[Any, Sequence[int], float]]:
        return {place: self._features(piece.medium) for place, piece in _media(pieces)}

    def _encoded(self, id: str, pieces: Sequence[Piece], decoded: Mapping[int, tuple[Any, Any, float]]) -> Encoded:
        import torch

        tokens = tokens_of(pieces, self.tokenizer, {place: each[1] for place, each in decoded.items()})
        self._check_length(len(tokens.ids))
        return Encoded(
            id=id,
            input_ids=torch.tensor(tokens.ids),
            labels=torch.tensor(tokens.labels),
            media=self.row_media([each[0] for each in decoded.values()], tokens),
            cut_seconds=round(sum(each[2] for each in decoded.values()), 3),
        )

    def _check_length(self, tokens: int) -> None:
        if tokens > self.settings.max_tokens:
            raise BadRow("too_many_tokens", f"{tokens} tokens; max_tokens is {self.settings.max_tokens}")

    def _expanse(self, medium: Medium | None) -> Expanse:
        assert medium is not None
        try:
            _check_local(medium)
            return self.expanse(medium)
        except MediaError as error:
            raise BadRow(error.reason, f"{medium.path}: {error.detail}") from error

    def _features(self, medium: Medium | None) -> tuple[Any, Sequence[int], float]:
        assert medium is not None
        try:
            _check_local(medium)
            check_as_stored(Path(medium.path), medium.sha256)
            return self.features(medium)
        except MediaError as error:
            raise BadRow(error.reason, f"{medium.path}: {error.detail}") from error


class HearingEncoder(ConversationEncoder):
    """What the families that hear share: the extractor, and clips that are too long."""

    @cached_property
    def extractor(self) -> Any:
        from transformers import AutoFeatureExtractor

        from ..models.model_loading import damage_of, quiet_transformers

        with quiet_transformers(), damage_of(self.folder):
            return AutoFeatureExtractor.from_pretrained(self.folder)

    @cached_property
    def log_mel(self) -> Any:
        from ..data.log_mel import LogMel

        return LogMel(self.extractor)

    @property
    @abstractmethod
    def longest_s(self) -> float | None:
        """Seconds of a clip that the model hears; None: any number."""

    def sound_length(self, medium: Medium) -> tuple[int, float]:
        """The samples that are heard of a clip, from its header, and the seconds that are left out."""
        path = Path(medium.path)
        with fenced(path.name):
            whole = measure(path, kind="sound" if isinstance(medium, Video) else "audio").length or 0
        longest = self._longest
        if longest is None or whole <= longest:
            return whole, 0.0
        if self.settings.long == REFUSE:
            raise MediaError("too_long", f"{whole / self.rate:.1f} s; {longest / self.rate:g} s are heard")
        return longest, (whole - longest) / self.rate

    def sound(self, medium: Medium) -> tuple[Samples, float]:
        """The samples that are heard of a clip, and the seconds that are left out."""
        samples = read_sound(Path(medium.path), self.rate)
        longest = self._longest
        heard_s = None if longest is None else longest / self.rate
        [heard] = fit(samples, self.rate, heard_s=heard_s, long=self.settings.long)
        return heard, (len(samples) - len(heard)) / self.rate

    @property
    def budget_model(self) -> str | None:
        """The family, where the model has the vocabulary and the template that budgets are counted with."""
        found = tuple(self.tokenizer.convert_tokens_to_ids([END_OF_TEXT, START, END]))
        return self.family if isinstance(self.form, ChatForm) and found == _KNOWN_IDS else None

    @property
    def max_audio_seconds(self) -> float | None:
        return None if self._longest is None else self._longest / self.rate

    @property
    def _longest(self) -> int | None:
        limits = [each for each in (self.longest_s, self.settings.max_audio_seconds) if each is not None]
        return round(min(limits) * self.rate) if limits else None


def _media(pieces: Sequence[Piece]) -> list[tuple[int, Piece]]:
    return [(place, piece) for place, piece in enumerate(pieces) if piece.medium is not None]


def _last_only(pieces: Sequence[Piece]) -> list[Piece]:
    """Pieces of which the last answer alone is trained."""
    last = max(place for place, piece in enumerate(pieces) if piece.is_trained)
    return [replace(piece, is_trained=place == last) for place, piece in enumerate(pieces)]


def _sounds(medium: Medium) -> bool:
    return isinstance(medium, Video) and medium.with_sound


def _check_local(medium: Medium) -> None:
    if medium.path.startswith(("http://", "https://")):
        raise MediaError("missing_media", "a URL; media of training are files")
