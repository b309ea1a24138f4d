"""Phones out of a clip, one after the other; and how likely phones are that should have been said.

A phone is the likeliest of all phones and the end, given the sound and the phones before it (greedy). Its confidence is
its probability among these: p(phone) / (sum of p over phones and the end).

The goodness of a phone c that should have been said, after those before it that should, is

    log p(c | sound, phones before) - max over phones q of log p(q | sound, phones before)

0 where no other phone is likelier, and below where one is. That is the goodness of pronunciation of Witt and Young
(Phone-level pronunciation scoring and assessment for interactive language learning, 2000: the log-likelihood of the
phone less that of the likeliest one), with what the language model says in place of acoustic likelihoods, and not
divided by the length of the phone, which is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.bad_rows import BadRow
from ..data.turns import Clip
from .vocabulary import END, OTHERS

if TYPE_CHECKING:
    import torch

    from .model import PhonemeModel
    from .phone_rows import PhoneEncoder

ENDED, LENGTH = "end", "length"


@dataclass(frozen=True, slots=True)
class SaidPhone:
    """A phone that was heard, and how sure the model is of it: from 0 to 1."""

    phone: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Goodness:
    """How well a phone that should be said was said.

    Attributes:
        goodness: 0 or below, as this file's docstring says.
        probability: Of the phone, among all phones.
        likeliest: The phone that is likeliest in its place.
    """

    phone: str
    goodness: float
    probability: float
    likeliest: str


@dataclass(frozen=True, slots=True)
class Heard:
    """The phones of a clip.

    Attributes:
        end: The confidence that nothing follows.
        finish: `end`, or `length` where as many phones were said as the clip has frames.
        seconds, cut_seconds: Of sound; and what was not heard of a longer clip.
        goodness: Of the phones that should be said, where these were given.
    """

    phones: tuple[SaidPhone, ...]
    end: float
    finish: str
    seconds: float
    cut_seconds: float
    goodness: tuple[Goodness, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(each.phone for each in self.phones)


@dataclass(frozen=True, slots=True, eq=False)
class PhoneDecoder:
    """Hears clips, one by one: what is said of one does not depend on others.

    Attributes:
        model: In evaluation mode.
        encoder: Of its rows.
        computing: The context of a pass.
    """

    model: PhonemeModel
    encoder: PhoneEncoder
    computing: Callable[[], AbstractContextManager[Any]] = nullcontext

    def hear(
        self, clip: Path, *, prompt: str, canonical: Sequence[str] | None = None, most: int | None = None
    ) -> Heard:
        """The phones of a clip.

        Args:
            most: How many; default: as many as the clip has frames.
            canonical: The phones that should be said; None: no goodness is computed.

        Raises:
            MediaError: The clip cannot be heard.
            BadRow: The prompt or a phone that should be said is none.
        """
        import torch

        pieces = self.encoder.form.question(Clip(str(clip)), prompt)
        spectrum, sound, cut = self.encoder.features(Clip(str(clip)))
        inputs = self.encoder.join_spectra([spectrum])
        ids = [*sound, *self.encoder.tokenizer(pieces[1].text, add_special_tokens=False)["input_ids"]]
        with torch.no_grad(), self.computing():
            frames = len(sound)
            phones, end, finish = self._said(ids, inputs, most=frames if most is None else min(most, frames))
            goodness = self._goodness(ids, inputs, list(canonical)) if canonical else ()
        return Heard(tuple(phones), end, finish, len(sound) / 50, cut, goodness)

    def _said(self, ids: list[int], inputs: Any, *, most: int) -> tuple[list[SaidPhone], float, str]:
        import torch

        phones, allowed = self._allowed()
        device = self.model.tokens.device
        given: dict[str, Any] = {
            "input_ids": torch.tensor([ids], device=device), "input_features": inputs.to(device),
        }  # fmt: skip
        length, cache = len(ids), None
        found: list[SaidPhone] = []
        while True:
            width = given["input_ids"].shape[1]
            last = torch.arange(width, device=device)[None] == width - 1
            out = self.model(
                **given, attention_mask=torch.ones(1, length, dtype=torch.long, device=device), at=last, cache=cache,
                use_cache=True,
            )  # fmt: skip
            cache = out.cache
            chances = out.logits[0, allowed].float().softmax(-1)
            best = int(chances.argmax())
            if best == len(phones):
                return found, float(chances[best]), ENDED
            if len(found) == most:
                return found, float(chances[-1]), LENGTH
            found.append(SaidPhone(phones[best], float(chances[best])))
            given = {"input_ids": torch.tensor([[int(allowed[best])]], device=device)}
            length += 1

    def _allowed(self) -> tuple[tuple[str, ...], torch.Tensor]:
        """The phones, and the numbers of their tokens with that of the end behind them."""
        import torch

        tokenizer = self.encoder.tokenizer
        numbers = self.encoder.vocabulary.ids(tokenizer)[OTHERS:]
        end = END if self.encoder.has_boundaries else tokenizer.eos_token
        numbers.append(int(tokenizer.convert_tokens_to_ids(end)))
        return self.encoder.vocabulary.phones, torch.tensor(numbers, device=self.model.tokens.device)

    def _goodness(self, ids: list[int], inputs: Any, canonical: list[str]) -> tuple[Goodness, ...]:
        import torch

        phones, allowed = self._allowed()
        places = {phone: place for place, phone in enumerate(phones)}
        for phone in canonical:
            if phone not in places:
                raise BadRow("unknown_phone", f"{phone!r} should be said, and is no phone that the model knows")
        device = self.model.tokens.device
        wanted = torch.tensor([places[phone] for phone in canonical], device=device)
        row = torch.cat([torch.tensor(ids, device=device), allowed[wanted][:-1]])[None]
        at = torch.zeros_like(row, dtype=torch.bool)
        at[0, len(ids) - 1 :] = True
        out = self.model(input_ids=row, attention_mask=torch.ones_like(row), input_features=inputs.to(device), at=at)
        chances = out.logits[:, allowed[:-1]].float().log_softmax(-1)
        own = chances.gather(1, wanted[:, None])[:, 0]
        best, likeliest = chances.max(-1)
        return tuple(
            Goodness(phone, float(one - most), float(one.exp()), phones[int(place)])
            for phone, one, most, place in zip(canonical, own, best, likeliest, strict=True)
        )
