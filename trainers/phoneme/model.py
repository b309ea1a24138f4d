"""What is trained: a frozen Whisper encoder, one linear layer, and a language model with tokens for phones.

    sound of 30 s  -> Whisper's encoder, 1,500 frames of 20 ms -> those that the clip reaches -> Linear -> the prefix
    [prefix][question <PH_START>][phones <PH_END> and the end of the text]                     -> the language model

* Frames behind a clip are no part of its row: rows are padded at their end alone, and what a row says does not depend
  on the clips beside it.
* The rows of new tokens, in the embedding and in the head, are trained as a part of its own (`new_tokens`), beside the
  frozen matrices of the language model. Where these are one matrix (tied), the new rows are one too.
* A head over the frames for the loss of CTC is there where it was asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ...errors import UsageError

ENCODER_FRAMES = 1500
"""Of the 30 s that Whisper's encoder takes."""


@dataclass(slots=True)
class PhonemeOutput:
    """What the model says of a batch.

    Attributes:
        logits: Over the vocabulary: of the positions that were asked for, else of shape (rows, positions, vocabulary).
        ctc_logits: Over phones and, first, none, of each frame: (rows, frames, 1 + phones); None without such a head.
        frames: How many of these each clip reaches.
        cache: What attention keeps, where it was asked for.
    """

    logits: torch.Tensor
    ctc_logits: torch.Tensor | None = None
    frames: torch.Tensor | None = None
    cache: Any = None


@dataclass
class PartConfigs:
    """The configurations of the parts, by the names that other models of sound have for them."""

    text_config: Any
    audio_config: Any
    model_type: str = "triptych_phoneme"
    use_cache: bool = False

    def get_text_config(self, **_: Any) -> Any:
        return self.text_config

    def to_dict(self) -> dict[str, Any]:
        parts = {"text_config": self.text_config, "audio_config": self.audio_config}
        return {"model_type": self.model_type, **{name: part.to_dict() for name, part in parts.items()}}

    def to_json_string(self, **_: Any) -> str:
        return json.dumps(self.to_dict(), default=str, indent=2)


class NewTokens(nn.Module):  # type: ignore[misc]
    """The rows of tokens in the embedding of a language model, and in its head unless both are one matrix."""

    def __init__(self, embedding: torch.Tensor, head: torch.Tensor | None) -> None:
        super().__init__()
        self.embedding = nn.Parameter(embedding)
        self.head = None if head is None else nn.Parameter(head)

    def forward(self, places: torch.Tensor) -> torch.Tensor:
        """The embeddings of tokens by their places among these."""
        return functional.embedding(places, self.embedding)

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """What the head says of these tokens."""
        return functional.linear(states, self.embedding if self.head is None else self.head)


class Hearing(nn.Module):  # type: ignore[misc]
    """An encoder that is not trained.

    Args:
        kept_bytes: Of memory for what it makes of clips: one that comes again is not heard again. Then clips are heard
            one by one: what is kept does not depend on the clips beside, so that a run that goes on computes with the
            same numbers as one that was not stopped.
    """

    def __init__(self, encoder: Any, kept_bytes: int) -> None:
        super().__init__()
        self.encoder = encoder.eval().requires_grad_(False)
        self._most, self._bytes = kept_bytes, 0
        self._states: dict[bytes, torch.Tensor] = {}

    def train(self, mode: bool = True) -> Hearing:
        """It stays as it is: nothing of it is dropped."""
        return self

    @property
    def config(self) -> Any:
        return self.encoder.config

    def forward(self, features: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        """The states of clips up to the longest of their frames.

        Args:
            features: Log-mel spectra of 30 s.
            frames: How many frames of 20 ms each clip reaches.
        """
        features = features.to(next(self.encoder.parameters()).dtype)
        with torch.no_grad():
            if self._most:
                found = [self._once(clip, count) for clip, count in zip(features, frames.tolist(), strict=True)]
                return nn.utils.rnn.pad_sequence(found, batch_first=True)
            states: torch.Tensor = self.encoder(features).last_hidden_state
            return states[:, : int(frames.max())]

    def _once(self, clip: torch.Tensor, frames: int) -> torch.Tensor:
        key = hashlib.blake2b(clip.float().cpu().numpy().tobytes(), digest_size=16).digest()
        states = self._states.get(key)
        if states is None or len(states) < frames:
            states = self.encoder(clip[None]).last_hidden_state[0, :frames].clone()
            size = states.numel() * states.element_size()
            if self._bytes + size <= self._most:
                self._states[key], self._bytes = states, self._bytes + size
        return states[:frames]


class PhonemeModel(nn.Module):  # type: ignore[misc]
    """Hears a clip, and writes its phones.

    Args:
        encoder: Whisper's; it is neither trained nor put into training mode.
        tokens: The numbers of the new tokens in the vocabulary, in the order of `PhoneVocabulary.tokens`.
        sound: The number of the token that stands for a frame of sound.
        known: Those of them that the language model knows: their rows begin as they are there.
        ctc: How many phones a head over the frames tells apart; 0: there is none.
        seed: Of what begins with random weights.
        kept_bytes: Of memory for what the encoder makes of clips: a clip that comes again is not heard again.
    """

    def __init__(
        self, encoder: Any, language_model: Any, *, tokens: list[int], sound: int, known: Collection[int] = (),
        ctc: int = 0, seed: int = 0, kept_bytes: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.sound = sound
        self.audio_tower = Hearing(encoder, kept_bytes)
        self.language_model = language_model
        embedding, head = parts_of(language_model)
        hidden = int(embedding.shape[1])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.projector = _projector(encoder, embedding)
            own_head = None if head is embedding else _rows(head, tokens, known)
            self.new_tokens = NewTokens(_rows(embedding, tokens, known), own_head)
            self.ctc_head = nn.Linear(hidden, 1 + ctc) if ctc else None
        place = torch.full((max(len(embedding), max(tokens) + 1),), -1, dtype=torch.long)
        place[tokens] = torch.arange(len(tokens))
        own = embedding.device
        self.place: torch.Tensor
        self.tokens: torch.Tensor
        self.register_buffer("place", place.to(own), persistent=False)
        self.register_buffer("tokens", torch.tensor(tokens, device=own), persistent=False)
        self.config = PartConfigs(language_model.config, encoder.config)
        for part in (self.projector, self.new_tokens, self.ctc_head):
            if part is not None:
                part.to(own)

    @property
    def is_gradient_checkpointing(self) -> bool:
        return bool(getattr(self.language_model, "is_gradient_checkpointing", False))

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, input_features: torch.Tensor | None = None,
        at: torch.Tensor | None = None, cache: Any = None, use_cache: bool = False,
    ) -> PhonemeOutput:  # fmt: skip
        """What is said of a batch of rows that are padded at their end.

        Args:
            input_ids: A frame of sound stands as its token.
            input_features: Log-mel spectra of 30 s; None: there is no token of sound in these rows.
            at: Which positions logits are wanted of, of the shape of `input_ids`; None: of all.
            cache: What an earlier pass kept, whose rows these go on.
        """
        embedded, is_sound = self.embedded(input_ids), input_ids == self.sound
        ctc_logits = None
        if input_features is not None:
            heard, is_frame = self.heard(input_features, is_sound)
            embedded = embedded.masked_scatter(is_sound[..., None], heard[is_frame].to(embedded.dtype))
            ctc_logits = None if self.ctc_head is None else self.ctc_head(heard)
        out = self.language_model.base_model(
            inputs_embeds=embedded, attention_mask=attention_mask, past_key_values=cache, use_cache=use_cache
        )
        states = out.last_hidden_state
        logits = self.logits(states if at is None else states[at])
        return PhonemeOutput(logits, ctc_logits, is_sound.sum(1), out.past_key_values if use_cache else None)

    def heard(self, features: torch.Tensor, is_sound: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The projected frames of each clip, and which of them the clip reaches."""
        counts = is_sound.sum(1)
        longest = int(counts.max())
        if longest > ENCODER_FRAMES:
            raise ValueError(f"a row has {longest} tokens of sound, and the encoder makes {ENCODER_FRAMES} frames")
        states = self.audio_tower(features, counts)
        frames = torch.arange(longest, device=states.device) < counts[:, None]
        return self.projector(states.to(self._kind)), frames

    @property
    def _kind(self) -> torch.dtype:
        found: torch.dtype = next(self.projector.parameters()).dtype
        return found

    def embedded(self, ids: torch.Tensor) -> torch.Tensor:
        """The embeddings of tokens, new ones from their own rows."""
        embedding = self.language_model.get_input_embeddings()
        places = self.place[ids]
        old = embedding(ids.clamp(max=embedding.weight.shape[0] - 1))
        return torch.where((places >= 0)[..., None], self.new_tokens(places.clamp(min=0)).to(old.dtype), old)

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """Over the vocabulary, those of new tokens from their own rows."""
        old = self.language_model.get_output_embeddings()(states)
        new = self.new_tokens.logits(states.to(self.new_tokens.embedding.dtype))
        wide = functional.pad(old, (0, max(0, len(self.place) - old.shape[-1])), value=float("-inf"))
        return wide.index_copy(-1, self.tokens, new.to(wide.dtype))


def parts_of(language_model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """The matrices of the embedding and the head, which may be one.

    Raises:
        UsageError: The model does more than look up rows, or more than multiply by them: new rows would be read and
            said otherwise than in its files.
    """
    embedding, head = language_model.get_input_embeddings(), language_model.get_output_embeddings()
    name = language_model.config.model_type
    if head is None or getattr(head, "bias", None) is not None:
        raise UsageError(f"{name}: its head is none, or has a bias: tokens cannot be added to it here.")
    ids = torch.tensor([[1, 2]], device=embedding.weight.device)
    with torch.no_grad():
        is_lookup = bool(torch.equal(embedding(ids), embedding.weight[ids].to(embedding(ids).dtype)))
        states = language_model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        told = language_model(input_ids=ids, use_cache=False).logits
        is_plain = torch.allclose(head(states).float(), told.float(), rtol=1e-2, atol=1e-2)
    if not (is_lookup and is_plain):
        raise UsageError(
            f"{name}: it scales its embeddings or its logits: tokens cannot be added to it here.",
            hint="take a Qwen3, or another model that does not",
        )
    same = embedding.weight is head.weight or embedding.weight.data_ptr() == head.weight.data_ptr()
    return embedding.weight, embedding.weight if same else head.weight


def _projector(encoder: Any, embedding: torch.Tensor) -> nn.Linear:
    """A linear layer whose first outputs are as large as embeddings.

    Behind the encoder's last norm, with gains g and biases b, states have a mean square of (g^2 + b^2): what was a norm
    of 1 in each direction before.
    """
    norm = encoder.layer_norm
    power = float((norm.weight.detach().float() ** 2 + norm.bias.detach().float() ** 2).sum())
    made = nn.Linear(int(encoder.config.d_model), embedding.shape[1])
    with torch.no_grad():
        made.weight.normal_(0.0, float(embedding.detach().float().std()) / power**0.5)
        made.bias.zero_()
    return made


def _rows(matrix: torch.Tensor, tokens: list[int], known: Collection[int]) -> torch.Tensor:
    """First rows of tokens: drawn around the mean of all rows, as widely as these lie, in each column.

    A matrix often has more rows than its tokenizer has tokens; those behind are noise, and no beginning.
    """
    there = matrix.detach().float()
    drawn = torch.randn(len(tokens), matrix.shape[1]).to(there.device)
    rows = there.mean(0) + there.std(0) * drawn
    for place, token in enumerate(tokens):
        if token in known:
            rows[place] = there[token]
    return rows
