"""A conversation as a model reads it, in pieces: texts, and the places of media.

What is trained is what the model must say: each answer and the token that ends it. The line break behind that token is
the template's, not the model's. A prompt is tokenized up to where the answer begins, and the answer by itself, as
happens when the model is asked and then goes on; so a token never holds the end of a prompt and the start of an answer.

The text is that of the model's own template, which is asked for a conversation of the same kind before any row is read
(`opening_of`). Where the template would lose something, the row decides: Qwen3-Omni's removes the chain of thought of
an answer to a turn with media, and writes an empty one into an answer that has none; here the last answer is written as
the row has it. An earlier answer stands as the template will show it when the model is asked: without its chain, unless
every turn of the user behind it has media and one before it has none. It is not trained where its chain was removed:
without it, it would teach to answer at once.

A row that is one answer without a question (`msswift --task pretrain`) is a text to learn as it is: it stands without
turns, and all of it is trained but its media.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...errors import UsageError
from ...shards.budgets.text import Template
from ..data.encoder import BadRow
from ..data.turns import ASSISTANT, SYSTEM, USER, Clip, Medium, Part, Picture, Turn, Video
from ..models.prompt_forms import raw_form

START, END = "<|im_start|>", "<|im_end|>"
END_OF_TEXT = "<|endoftext|>"
END_OF_CHAIN = "</think>"
_TURN = f"{START}{ASSISTANT}\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """Text, or the place of a medium.

    Attributes:
        text: What is written; of a medium the token that stands for it once.
    """

    text: str
    is_trained: bool = False
    medium: Medium | None = None


class _Pieces:
    """Builds pieces; texts that follow one another are one, as they are tokenized together."""

    def __init__(self) -> None:
        self.found: list[Piece] = []

    def add(self, text: str, *, is_trained: bool = False) -> None:
        last = self.found[-1] if self.found else None
        if not text:
            return
        if last is not None and last.medium is None and last.is_trained == is_trained:
            self.found[-1] = Piece(last.text + text, is_trained)
        else:
            self.found.append(Piece(text, is_trained))

    def add_medium(self, mark: str, medium: Medium, token: str) -> None:
        before, _, after = mark.partition(token)
        self.add(before)
        self.found.append(Piece(token, medium=medium))
        self.add(after)


@dataclass(frozen=True, slots=True)
class ChatForm:
    """How a family writes conversations.

    Attributes:
        template: Its marks and its system message.
        opening: What it writes for the model at the start of an answer (`<think>\\n`, or nothing).
        forgets_chains: Whether earlier answers stand without their chains of thought.
    """

    template: Template
    opening: str = ""
    forgets_chains: bool = False

    def pieces(self, turns: Sequence[Turn]) -> list[Piece]:
        """The pieces of a conversation that ends with an answer.

        Raises:
            BadRow: It cannot be written.
        """
        check_turns(turns, {START, END, END_OF_TEXT, *self._tokens()})
        made = _Pieces()
        if is_pretraining(turns):
            for part in turns[0].parts:
                self._add_bare(made, part)
            made.add(END_OF_TEXT, is_trained=True)
            return made.found
        numbers: dict[str, int] = {}
        if self.template.system is not None and turns[0].role != SYSTEM:
            made.add(f"{START}{SYSTEM}\n{self.template.system}{END}\n")
        chains_from = _last_query(turns) if self.forgets_chains else 0
        for place, turn in enumerate(turns):
            if turn.role == ASSISTANT:
                is_last = place == len(turns) - 1
                self._add_answer(made, turn, is_last=is_last, has_chain=is_last or place >= chains_from)
                continue
            made.add(f"{START}{turn.role}\n")
            for part in turn.parts:
                self._add_part(made, part, numbers)
            made.add(f"{END}\n")
        return made.found

    def _add_answer(self, made: _Pieces, turn: Turn, *, is_last: bool, has_chain: bool) -> None:
        is_whole = has_chain or END_OF_CHAIN not in turn.text
        text = turn.text if is_whole else turn.text.split(END_OF_CHAIN)[-1].lstrip("\n")
        made.add(_TURN)
        if is_last and self.opening:
            if not text.startswith(self.opening):
                raise BadRow("no_chain", f"the model's answers begin with {self.opening!r}, and this one does not")
            made.add(self.opening)
            text = text[len(self.opening) :]
        made.add(f"{text}{END}", is_trained=is_whole and turn.is_learned)
        made.add("\n")

    def _add_part(self, made: _Pieces, part: Part, numbers: dict[str, int]) -> None:
        if isinstance(part, str):
            made.add(part)
            return
        kind, mark, token = self._mark(part)
        numbers[kind] = numbers.get(kind, 0) + 1
        made.add_medium(mark.replace("{n}", str(numbers[kind])), part, token)

    def _add_bare(self, made: _Pieces, part: Part) -> None:
        """A part of a text without turns: a medium in its own tokens alone, which are not trained."""
        if isinstance(part, str):
            made.add(part, is_trained=True)
            return
        _, mark, token = self._mark(part)
        made.add_medium(mark[mark.index("<|") : mark.rindex("|>") + 2], part, token)

    def _mark(self, medium: Medium) -> tuple[str, str, str]:
        """The kind of a medium, what is written for it, and the token in it that stands for it."""
        if isinstance(medium, Clip):
            kind, mark = "audio", self.template.audio
        elif isinstance(medium, Picture):
            kind, mark = "image", self.template.image or ""
        else:
            sounding = self.template.sounding_video if medium.with_sound else self.template.video
            kind, mark = "video", sounding or ""
        if not mark:
            raise BadRow(f"{kind}_unsupported", f"the model takes no {kind}")
        return kind, mark, self.template.placeholders[("audio", "image", "video").index(kind)]

    def _tokens(self) -> Iterator[str]:
        """The tokens around and in place of media."""
        marks = (self.template.audio, self.template.image, self.template.video, self.template.sounding_video)
        for part in "".join(filter(None, marks)).split("<|")[1:]:
            yield f"<|{part.split('|>')[0]}|>"


@dataclass(frozen=True, slots=True)
class RawForm:
    """Sound, prompt and answer, for models without a chat template; only the last answer is trained.

    Attributes:
        end: The token that ends an answer.
        sound: What stands for a clip, of a model that hears, and `token` in it.
    """

    end: str
    sound: str = ""
    token: str = ""

    def pieces(self, turns: Sequence[Turn]) -> list[Piece]:
        """The pieces of a conversation that ends with an answer.

        Raises:
            BadRow: It cannot be written.
        """
        around = self.sound.split(self.token) if self.token else []
        check_turns(turns, {START, END, END_OF_TEXT, self.end} | {each for each in (self.token, *around) if each})
        clips = [part for turn in turns for part in turn.parts if not isinstance(part, str)]
        if any(not self.token or not isinstance(clip, Clip) for clip in clips):
            raise BadRow("media_unsupported", f"the model takes {'clips' if self.token else 'text'} alone")
        made = _Pieces()
        if is_pretraining(turns):
            for part in turns[0].parts:
                if isinstance(part, str):
                    made.add(part, is_trained=True)
                else:
                    made.add_medium(self.sound, part, self.token)
            made.add(self.end, is_trained=True)
            return made.found
        prompt = raw_form(turns[:-1], self.sound)
        texts = prompt.split(self.token) if self.token else [prompt]
        made.add(texts[0])
        for clip, text in zip(clips, texts[1:], strict=True):
            made.found.append(Piece(self.token, medium=clip))
            made.add(text)
        made.add(f"{turns[-1].text}{self.end}", is_trained=turns[-1].is_learned)
        return made.found


class TemplateForm:
    """The template of a model of text, whatever it is: what it writes is looked at, and must be complete.

    An earlier answer is trained where it stands as it stood when it was the last; a template that takes its chain of
    thought away makes it context.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def pieces(self, turns: Sequence[Turn]) -> list[Piece]:
        """The pieces of a conversation that ends with an answer.

        Raises:
            BadRow: The template refuses it or leaves something out.
        """
        if any(not isinstance(part, str) for turn in turns for part in turn.parts):
            raise BadRow("media_unsupported", "the model reads text alone")
        check_turns(turns, set(self._tokenizer.all_special_tokens))
        if is_pretraining(turns):
            return [Piece(f"{turns[0].text}{self._tokenizer.eos_token}", is_trained=True)]
        whole = self._written(turns)
        made = _Pieces()
        end = 0
        for place, turn in enumerate(turns):
            if turn.role != ASSISTANT:
                continue
            prompt = self._written(turns[:place], is_prompt=True)
            told = self._written(turns[: place + 1])
            is_last = place == len(turns) - 1
            if not turn.is_learned and not is_last:
                continue
            if not (whole.startswith(told) and told.startswith(prompt)):
                if is_last:
                    raise BadRow("template", "the model's template does not write the answer behind its prompt")
                continue
            answer = told[len(prompt) :]
            if turn.text.strip() not in answer:
                raise BadRow("template", f"the model's template leaves out {turn.text.strip()[:60]!r}")
            said = answer.rstrip()
            if not said.endswith(tuple(self._tokenizer.all_special_tokens)):
                raise BadRow("template", "the model's template writes no token that ends an answer")
            made.add(whole[end : len(prompt)])
            made.add(said, is_trained=turn.is_learned)
            end = len(prompt) + len(said)
        made.add(whole[end:])
        return made.found

    def _written(self, turns: Sequence[Turn], *, is_prompt: bool = False) -> str:
        from jinja2 import TemplateError

        messages = [{"role": turn.role, "content": turn.text} for turn in turns]
        try:
            return str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=is_prompt))
        except (TemplateError, TypeError) as error:
            raise BadRow("template", f"the model's template refuses the row: {error}") from error


class Form(Protocol):
    """How conversations are written for a model."""

    def pieces(self, turns: Sequence[Turn]) -> list[Piece]:
        """The pieces of a conversation that ends with an answer; raises BadRow if it cannot be written."""


def is_pretraining(turns: Sequence[Turn]) -> bool:
    """Whether a row is one text to learn, without a question."""
    return len(turns) == 1


def check_turns(turns: Sequence[Turn], tokens: set[str]) -> None:
    """Refuse what this model would not read as it is meant; `row_turns` has looked at what no model would.

    Raises:
        BadRow: `no_answer`, `media_place`, `model_token`.
    """
    if not turns or turns[-1].role != ASSISTANT:
        raise BadRow("no_answer", "the last turn is not an answer")
    for turn in turns:
        for part in turn.parts:
            if not isinstance(part, str):
                if turn.role != USER and not is_pretraining(turns):
                    raise BadRow("media_place", f"{part.path} stands in a turn of the {turn.role}")
                continue
            if found := next((token for token in tokens if token in part), None):
                raise BadRow("model_token", f"{found} in a turn of the {turn.role} would be a token of the model")
        if turn.role == ASSISTANT and not turn.text.strip():
            raise BadRow("no_answer", "an answer is empty")


def _last_query(turns: Sequence[Turn]) -> int:
    """The last turn of the user that is text alone, behind which Qwen3-Omni's template leaves chains in answers."""
    found = [place for place, turn in enumerate(turns)
             if turn.role == USER and all(isinstance(part, str) for part in turn.parts)]  # fmt: skip
    return found[-1] if found else len(turns)


def text_of(pieces: Sequence[Piece]) -> str:
    """The text of pieces, each medium as one token."""
    return "".join(piece.text for piece in pieces)


def opening_of(form: ChatForm, written: Any) -> str:
    """What a model's own template writes at the start of an answer, beyond the turn's head.

    Args:
        written: Its `apply_chat_template`.

    Raises:
        UsageError: The template writes conversations otherwise than its family.
    """
    asked = Turn(USER, tuple(_asked(form.template)))
    contents = [{"type": "text", "text": part} if isinstance(part, str) else _typed(part) for part in asked.parts]
    messages = [{"role": SYSTEM, "content": "s"}, {"role": USER, "content": "q"}, {"role": ASSISTANT, "content": "a"},
                {"role": USER, "content": contents}]  # fmt: skip
    for first in (0, 1):
        turns = [Turn(SYSTEM, ("s",)), Turn(USER, ("q",)), Turn(ASSISTANT, ("a",)), asked, Turn(ASSISTANT, ("b",))]
        expected = text_of(ChatForm(form.template).pieces(turns[first:])).removesuffix(f"b{END}\n")
        found = str(written(messages[first:], tokenize=False, add_generation_prompt=True))
        if not found.startswith(expected):
            raise UsageError(
                "the chat template of the model writes another text than its family: expected "
                f"{expected!r}, found {found!r}.",
                hint="use the template of the published model",
            )
    return found[len(expected) :]


def _asked(template: Template) -> Iterator[Part]:
    yield "p"
    yield Clip("x")
    yield Clip("y")
    if template.image is not None:
        yield Picture("x")
    if template.video is not None:
        yield Video("x")
    yield "r"


def _typed(part: Medium) -> dict[str, str]:
    kind = "audio" if isinstance(part, Clip) else "image" if isinstance(part, Picture) else "video"
    return {"type": kind, kind: part.path}
