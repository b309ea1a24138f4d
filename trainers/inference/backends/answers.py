"""What a backend is asked, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ..questions import Question
from ..token_draw import cut_at_stop

if TYPE_CHECKING:
    from ...data.sound import Samples

STOPPED, LENGTH = "stop", "length"

_SOUND_TOKEN = re.compile(r"<\|(?:audio|AUDIO)[A-Za-z_]*\|>")


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One answer that is asked for: a question with its sounds.

    Attributes:
        sounds: The sound of each clip of the question, in order; None where the backend is handed the clip itself.
        seed: The seed of the answer, where answers are sampled.
    """

    question: Question
    sounds: tuple[Samples | None, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request: a text, or why there is none.

    Attributes:
        finish: `stop`, or `length` where the answer reached the largest number of tokens.
    """

    text: str | None = None
    error: str | None = None
    finish: str = STOPPED


@dataclass(frozen=True, slots=True)
class Identity:
    """What answers, as rows of predictions record it.

    Attributes:
        settings: What else changes answers: the template, the type of the weights.
    """

    model: str
    backend: str
    revision: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


class Backend(Protocol):
    """Answers requests. It is opened when the first of them must be answered, and closed at the end.

    Attributes:
        rate: Hz of the sound that it is asked about.
        heard_s: Seconds of a clip that it hears; None: all, or unknown.
        takes_prompts: Whether it is told what to do; others only transcribe.
    """

    @property
    def rate(self) -> int: ...

    @property
    def heard_s(self) -> float | None: ...

    @property
    def takes_prompts(self) -> bool: ...

    def needs_sound(self, question: Question) -> bool:
        """Whether the clips of a question are decoded for it."""

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer requests, in their order."""

    def close(self) -> None:
        """Free what it holds."""


def checked(text: str, raw: str, finish: str = STOPPED, *, tokens: int = 0) -> Answer:
    """The answer of a model, unless it says nothing but tokens of sound or other special tokens.

    A model whose template or server is broken goes on with `<|audio_bos|>` to the end (vllm-project/vllm#46250); where
    special tokens are left out of the text, all that is left is an empty one.

    Args:
        raw: The same text with its special tokens, where they are known.
        tokens: Tokens of the answer, where they are counted; 0: unknown.
    """
    if not _SOUND_TOKEN.sub("", text).strip() and (found := _SOUND_TOKEN.search(raw) or _SOUND_TOKEN.search(text)):
        return Answer(error=f"only_sound_tokens: the model answered {found[0]}; its template or server is broken")
    if not text.strip() and (finish == LENGTH or tokens > 1):
        many = f"{tokens} tokens" if tokens else "as many tokens as it may"
        return Answer(error=f"only_special_tokens: the model answered {many} and no text")
    return Answer(text=text, finish=finish)


def stopped(answer: Answer, stop: Sequence[str]) -> Answer:
    """An answer cut off before the first of these texts, which ended it."""
    if answer.text is None or (cut := cut_at_stop(answer.text, stop)) == answer.text:
        return answer
    return Answer(text=cut)
