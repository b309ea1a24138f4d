"""How answers are drawn from a model: greedy, by sampling, or by a search with beams.

Sampling has a seed for each answer, made of the run's seed, the row and the number of the sample: an answer is the same
whatever rows are beside it in a batch, in whatever order, and whichever were answered before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from ...errors import UsageError
from ...options import Option, Options

DECODING = "Decoding"
_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\r"}


def _stops(values: Sequence[str]) -> tuple[str, ...]:
    """Stop strings; `\\n` as it is typed in a shell is a line break."""
    found = []
    for value in values:
        for typed, meant in _ESCAPES.items():
            value = value.replace(typed, meant)
        if not value:
            raise UsageError("--stop: an empty text would end every answer.")
        found.append(value)
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class DecodingOptions(Options):
    """Options of how answers are drawn."""

    temperature: Annotated[float, Option("0 is greedy; above, answers are sampled.", DECODING, min=0)] = 0.0
    top_p: Annotated[
        float, Option("Sample from the likeliest tokens whose probabilities add up to this.", DECODING, above=0)
    ] = 1.0
    max_new_tokens: Annotated[
        int, Option("At most so many tokens; answers that reach it are counted.", DECODING, min=1)
    ] = 1024
    stop: Annotated[
        tuple[str, ...],
        Option("An answer ends before this text; \\n is a line break.", DECODING, read=_stops,
               metavar="TEXT"),
    ] = ()  # fmt: skip
    seed: Annotated[int, Option("Seed of sampling.", DECODING)] = 0
    num_beams: Annotated[int, Option("Beams of a search; 1 is none.", DECODING, min=1)] = 1
    samples_per_row: Annotated[
        int,
        Option("Self-consistency: so many answers to each row, of which the final answer that most give is taken.",
               DECODING, min=1),
    ] = 1  # fmt: skip

    @property
    def is_sampling(self) -> bool:
        return self.temperature > 0

    def check(self) -> None:
        if self.top_p > 1:
            raise UsageError(f"--top-p {self.top_p:g}: at most 1 is expected.")
        if not self.temperature < float("inf"):
            raise UsageError(f"--temperature {self.temperature}: a number is expected.")
        if self.is_sampling and self.num_beams > 1:
            raise UsageError("--num-beams searches, --temperature samples.", hint="remove one of them")
        if self.samples_per_row > 1 and not self.is_sampling:
            raise UsageError(
                "--samples-per-row: greedy answers are all the same.", hint="add --temperature, such as 0.7"
            )
        if self.top_p < 1 and not self.is_sampling:
            raise UsageError("--top-p is for sampling.", hint="add --temperature, such as 0.7")

    def record(self) -> dict[str, Any]:
        """What a row of predictions keeps of it."""
        found: dict[str, Any] = {"temperature": self.temperature, "max_new_tokens": self.max_new_tokens}
        if self.is_sampling:
            found |= {"top_p": self.top_p, "seed": self.seed}
        if self.num_beams > 1:
            found["num_beams"] = self.num_beams
        if self.samples_per_row > 1:
            found["samples_per_row"] = self.samples_per_row
        if self.stop:
            found["stop"] = list(self.stop)
        return found


def seed_of(seed: int, row: str, sample: int, window: int = 0) -> int:
    """The seed of one answer, below 2**31, which every server takes."""
    told = f"{seed}\0{row}\0{sample}\0{window}".encode()
    return int.from_bytes(hashlib.sha256(told).digest()[:4], "big") >> 1


def cut_at_stop(text: str, stop: Sequence[str]) -> str:
    """The text before the first of these texts."""
    places = [place for each in stop if (place := text.find(each)) >= 0]
    return text[: min(places)] if places else text
