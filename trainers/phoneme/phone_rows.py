"""Rows of phones to the inputs of the model: first the sound, then the question, then the phones.

    <PH_SOUND> x frames   question \n <PH_START>   <ph_sh><ph_iy> ... <PH_END> and the end of the text
    not trained           not trained              trained

A clip of n samples is n / 160 spectra of 10 ms, of which Whisper's encoder makes half as many frames.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...shards.media.streams import MediaError
from ..data.bad_rows import BadRow
from ..data.turns import ASSISTANT, USER, Clip, Medium, Turn
from ..models.model_files import settings_fingerprint
from ..models.real_lengths import FRAMES
from ..sft.conversation_encoder import Encoded, EncoderSettings, Expanse, HearingEncoder
from ..sft.conversation_text import Piece
from ..sft.labels import Tokens
from .loss import CLASSES, COUNTS
from .vocabulary import END, OTHERS, SOUND, START, PhoneVocabulary, check_prompt

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class PhoneForm:
    """How rows are written.

    Attributes:
        prompt: What is asked; None: what each row asks.
        has_boundaries: Whether phones stand between tokens of their own.
        end_of_text: The token that ends a text of the language model.
    """

    vocabulary: PhoneVocabulary
    prompt: str | None
    has_boundaries: bool
    end_of_text: str

    def pieces(self, turns: Sequence[Turn]) -> list[Piece]:
        """The pieces of a row: one clip, a question, phones.

        Raises:
            BadRow: It is another conversation, or has a phone that is not in the vocabulary.
        """
        if [turn.role for turn in turns] != [USER, ASSISTANT]:
            raise BadRow("not_one_question", f"{len(turns)} turns; a row of phones is one question and its answer")
        asked, said = turns
        if any(not isinstance(part, str | Clip) for part in asked.parts):
            raise BadRow("media_unsupported", "an image or video; a row of phones has one clip of sound")
        clips = [part for part in asked.parts if isinstance(part, Clip)]
        if len(clips) != 1:
            raise BadRow("not_one_clip", f"{len(clips)} clips; a row of phones has one")
        phones = said.text.split()
        prompt = asked.text.strip() if self.prompt is None else self.prompt
        return [*self.question(clips[0], prompt), Piece(self.answer(phones), is_trained=True)]

    def question(self, clip: Clip, prompt: str) -> list[Piece]:
        """What stands before the phones."""
        check_prompt(prompt)
        return [Piece(SOUND, medium=clip), Piece(f"{prompt.rstrip()}\n{START if self.has_boundaries else ''}")]

    def answer(self, phones: Sequence[str]) -> str:
        """Phones as they are said."""
        return f"{self.vocabulary.text_of(phones)}{END if self.has_boundaries else ''}{self.end_of_text}"


class PhoneEncoder(HearingEncoder):
    """Makes the inputs of `PhonemeModel`.

    Args:
        folder: Of the language model.
        hearing: The folder of the speech encoder, for its feature extractor.
        needs_ctc: Whether a row must have as many frames as CTC needs for its phones.
    """

    family = "phoneme"

    def __init__(
        self, folder: Path, settings: EncoderSettings | None = None, *, hearing: Path, vocabulary: PhoneVocabulary,
        prompt: str | None, has_boundaries: bool = True, needs_ctc: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(folder, settings)
        self.hearing, self.vocabulary, self.prompt = hearing, vocabulary, prompt
        self.has_boundaries, self.needs_ctc = has_boundaries, needs_ctc

    def __getstate__(self) -> dict[str, Any]:
        names = ("folder", "settings", "hearing", "vocabulary", "prompt", "has_boundaries", "needs_ctc")
        return {name: self.__dict__[name] for name in names}

    @cached_property
    def signature(self) -> str:
        told = [
            self.family, settings_fingerprint(self.folder), settings_fingerprint(self.hearing), self.vocabulary.sha256,
            str(self.prompt), str(self.has_boundaries), str(self.needs_ctc), *map(str, astuple(self.settings)),
        ]  # fmt: skip
        return hashlib.sha256("\0".join(told).encode()).hexdigest()

    @property
    def budget_model(self) -> None:
        """None: exports count other models' tokens."""
        return None

    @cached_property
    def tokenizer(self) -> Any:
        return self.vocabulary.extended(self.folder)

    @cached_property
    def extractor(self) -> Any:
        from transformers import AutoFeatureExtractor

        from ..models.model_loading import damage_of

        with damage_of(self.hearing):
            return AutoFeatureExtractor.from_pretrained(self.hearing)

    @cached_property
    def form(self) -> PhoneForm:
        end = self.tokenizer.eos_token
        if end is None:
            raise UsageError(f"{self.folder}: the tokenizer has no token that ends a text.")
        return PhoneForm(self.vocabulary, self.prompt, self.has_boundaries, str(end))

    @cached_property
    def sound_id(self) -> int:
        return int(self.tokenizer.convert_tokens_to_ids(SOUND))

    @cached_property
    def placeholders(self) -> frozenset[int]:
        return frozenset({self.sound_id})

    @property
    def longest_s(self) -> float:
        return float(self.extractor.chunk_length)

    def expanse(self, medium: Medium) -> Expanse:
        samples, left_out = self.sound_length(medium)
        return Expanse(self.frames(samples), samples / self.rate, left_out)

    def features(self, medium: Medium) -> tuple[Any, Sequence[int], float]:
        samples, left_out = self.sound(medium)
        spectrum = self.log_mel.padded(samples)
        return spectrum, [self.sound_id] * self.frames(len(samples)), left_out

    def frames(self, samples: int) -> int:
        """The frames that the encoder makes of a clip."""
        spectra = -(-samples // int(self.log_mel.hop))
        if spectra < 1:
            raise MediaError("too_short", "the clip has no samples")
        return (spectra - 1) // 2 + 1

    def row_media(self, features: Sequence[Any], tokens: Tokens) -> dict[str, Any]:
        if self.needs_ctc:
            self._check_ctc(tokens)
        return {"spectrum": features[0]}

    @cached_property
    def _classes(self) -> dict[int, int]:
        """The class of each phone's token, from 1 on."""
        phones = self.vocabulary.ids(self.tokenizer)[OTHERS:]
        return {token: place + 1 for place, token in enumerate(phones)}

    def _said(self, labels: Sequence[int]) -> list[int]:
        return [self._classes[label] for label in labels if label in self._classes]

    def _check_ctc(self, tokens: Tokens) -> None:
        """CTC has a frame for each phone, and one between two that are the same."""
        said, frames = self._said(tokens.labels), tokens.ids.count(self.sound_id)
        needed = len(said) + sum(one == other for one, other in pairwise(said))
        if needed > frames:
            raise BadRow("too_many_phones", f"{len(said)} phones in {frames} frames; CTC needs {needed}")

    def join_media(self, rows: Sequence[Encoded], width: int) -> dict[str, Any]:
        import torch

        made = {"input_features": self.join_spectra([row.media["spectrum"] for row in rows])}
        if self.needs_ctc:
            said = [self._said(row.labels.tolist()) for row in rows]
            made[CLASSES] = torch.tensor([each for row in said for each in row])
            made[COUNTS] = torch.tensor([len(row) for row in said])
        return made

    def join_spectra(self, spectra: Sequence[Any]) -> torch.Tensor:
        """Spectra with silence behind them, up to the 30 s of the encoder."""
        import torch
        from torch.nn.functional import pad

        return torch.stack([
            pad(each.frames[:, :FRAMES], (0, max(0, FRAMES - each.frames.shape[1])), value=each.silence)
            for each in spectra
        ])  # fmt: skip
