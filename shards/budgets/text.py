"""Text tokens: a conversation as a model's template writes it, counted with the tokenizer of the Qwen models.

The vocabulary comes in the wheel of dashscope (`qwen.tiktoken`, checked by its SHA-256); all three models share its
151,643 byte-level tokens and differ in the tokens that they add. A tokenizer.json of the user's takes its place.

A template is what MS-SWIFT 4.6 writes, which for these models is what their own chat templates write. It tokenizes the
prompt up to an assistant turn and the assistant's text separately, and so does this.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from ...errors import UsageError

VOCABULARY = ("dashscope", "resources/qwen.tiktoken")
VOCABULARY_SHA256 = "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186"
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How the Qwen2 tokenizer splits a text before its pairs are merged."""
_TURNS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
EXTRA = 'python -m pip install "triptych[budgets]", or name the model\'s own file with --tokenizer'


@dataclass(frozen=True, slots=True)
class Template:
    """How a model writes a conversation.

    Attributes:
        system: The system message of a conversation that has none; None: no system turn.
        audio, image, video: What stands for one medium; `{n}` is its number, from 1.
        sounding_video: What stands for a video whose sound is read with it.
        placeholders: The tokens of `audio`, `image` and `video` in whose place the media's own tokens stand.
        added: Further tokens of the vocabulary that can stand in a text.
    """

    system: str | None
    audio: str
    image: str | None = None
    video: str | None = None
    sounding_video: str | None = None
    placeholders: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    def pieces(self, turns: Sequence[Mapping[str, str]], *, sounding: bool = False) -> Iterator[str]:
        """The parts of the text that are tokenized one by one.

        Args:
            turns: Messages with `role` and `content`; tags stand where media do.
            sounding: The sound of its videos is read with them.
        """
        prompt = ""
        numbers = {"<audio>": 0, "<image>": 0, "<video>": 0}
        if self.system is not None and (not turns or turns[0]["role"] != "system"):
            prompt = f"<|im_start|>system\n{self.system}<|im_end|>\n"
        for turn in turns:
            content = self._with_media(turn["content"], numbers, sounding=sounding)
            if turn["role"] == "assistant":
                yield prompt + "<|im_start|>assistant\n"
                yield content + "<|im_end|>\n"
                prompt = ""
            else:
                prompt += f"<|im_start|>{turn['role']}\n{content}<|im_end|>\n"
        if prompt:
            yield prompt + "<|im_start|>assistant\n"

    def _with_media(self, text: str, numbers: dict[str, int], *, sounding: bool) -> str:
        if "<" not in text:
            return text
        marks = {
            "<audio>": self.audio,
            "<image>": self.image,
            "<video>": self.sounding_video if sounding else self.video,
        }
        for tag, mark in marks.items():
            while mark is not None and tag in text:
                numbers[tag] += 1
                text = text.replace(tag, mark.replace("{n}", str(numbers[tag])), 1)
        return text


_ASSISTANT = "You are a helpful assistant."
TEMPLATES = {
    "qwen2-audio": Template(
        _ASSISTANT, "Audio {n}: <|audio_bos|><|AUDIO|><|audio_eos|>\n", placeholders=("<|AUDIO|>",)
    ),
    "qwen2.5-omni": Template(
        _ASSISTANT,
        "<|audio_bos|><|AUDIO|><|audio_eos|>",
        "<|vision_bos|><|IMAGE|><|vision_eos|>",
        "<|vision_bos|><|VIDEO|><|vision_eos|>",
        "<|vision_bos|><|audio_bos|><|VIDEO|><|audio_eos|><|vision_eos|>",
        placeholders=("<|AUDIO|>", "<|IMAGE|>", "<|VIDEO|>"),
        added=("<tool_call>", "</tool_call>"),
    ),
    "qwen3-omni": Template(
        None,
        "<|audio_start|><|audio_pad|><|audio_end|>",
        "<|vision_start|><|image_pad|><|vision_end|>",
        "<|vision_start|><|video_pad|><|vision_end|>",
        "<|vision_start|><|audio_start|><|video_pad|><|audio_end|><|vision_end|>",
        placeholders=("<|audio_pad|>", "<|image_pad|>", "<|video_pad|>"),
        added=("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"),
    ),
}
"""By the names of `models.MODELS`."""


class Tokenizer(Protocol):
    """Counts the tokens of texts, in which a model's own tokens may stand; None for a text that it cannot split."""

    def counts(self, texts: Sequence[str]) -> list[int | None]: ...


def open_tokenizer(model: str, path: Path | None = None) -> Tokenizer:
    """The tokenizer of a model: the built-in vocabulary, or the tokenizer.json at `path` or in that folder.

    Raises:
        UsageError: The extra `budgets` is not installed, or the file is not a tokenizer of the model.
    """
    return _BuiltIn(TEMPLATES[model]) if path is None else _FromFile(model, path)


class _BuiltIn:
    def __init__(self, template: Template) -> None:
        self._own = {*_TURNS, *_tokens_of(template)}
        self._encoding = _encoding(_vocabulary())

    def counts(self, texts: Sequence[str]) -> list[int | None]:
        normal = [text if text.isascii() else unicodedata.normalize("NFC", text) for text in texts]
        try:
            encoded = self._encoding.encode_batch(normal, allowed_special=self._own, disallowed_special=())
        except ValueError:  # one of them is more than its regular expressions can split
            return [self._count(text) for text in normal]
        return [len(tokens) for tokens in encoded]

    def _count(self, text: str) -> int | None:
        try:
            return len(self._encoding.encode(text, allowed_special=self._own, disallowed_special=()))
        except ValueError:
            return None


def _tokens_of(template: Template) -> Iterator[str]:
    for mark in (template.audio, template.image, template.video, template.sounding_video):
        for part in (mark or "").split("<|")[1:]:
            yield f"<|{part.split('|>')[0]}|>"
    yield from template.added


def _vocabulary() -> Path:
    package, name = VOCABULARY
    found = find_spec(package)  # it is not imported: that would load its network client
    path = None if found is None or found.origin is None else Path(found.origin).parent / name
    if path is None or not path.is_file():
        raise UsageError(f"The vocabulary of text tokens is in {package}, which is not installed.", hint=EXTRA)
    return path


@lru_cache(maxsize=1)
def _encoding(vocabulary: Path) -> Any:
    """The vocabulary with the tokens that any of the models adds: which of them are tokens is said at each call."""
    try:
        import tiktoken
    except ImportError as error:
        raise UsageError("Counting text tokens needs tiktoken, which is not installed.", hint=EXTRA) from error
    data = vocabulary.read_bytes()
    if hashlib.sha256(data).hexdigest() != VOCABULARY_SHA256:
        raise UsageError(f"{vocabulary} is not the vocabulary that counts were checked with.", hint=EXTRA)
    lines = (line.split() for line in data.splitlines() if line)
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    added = dict.fromkeys([*_TURNS, *(token for template in TEMPLATES.values() for token in _tokens_of(template))])
    numbered = {token: len(ranks) + number for number, token in enumerate(added)}
    return tiktoken.Encoding("qwen2", pat_str=_WORDS, mergeable_ranks=ranks, special_tokens=numbered)


class _FromFile:
    def __init__(self, model: str, path: Path) -> None:
        try:
            from tokenizers import Tokenizer as Loaded
        except ImportError as error:
            raise UsageError("--tokenizer needs tokenizers, which is not installed.", hint=EXTRA) from error
        file = tokenizer_file(path)
        try:
            self._loaded: Any = Loaded.from_str(file.read_text(encoding="utf-8"))
        except Exception as error:  # the library raises nothing more special
            raise UsageError(f"{file} is not a tokenizer: {error}.", hint="name a tokenizer.json") from error
        for token in ("<|im_start|>", "<|im_end|>", *TEMPLATES[model].placeholders):
            if self._loaded.token_to_id(token) is None:
                raise UsageError(f"{file} is not the tokenizer of {model}: it has no token {token}.")

    def counts(self, texts: Sequence[str]) -> list[int | None]:
        return [len(made.ids) for made in self._loaded.encode_batch(list(texts), add_special_tokens=False)]


def tokenizer_file(path: Path) -> Path:
    """The tokenizer.json of a path that is one, or a folder with one."""
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise UsageError(f"--tokenizer {path}: there is no such file.", hint="name a tokenizer.json, or its folder")
    return file


def text_counts(
    model: str, tokenizer: Tokenizer, conversations: Iterable[tuple[Sequence[Mapping[str, str]], bool]]
) -> list[int | None]:
    """The text tokens of conversations as `model` writes them: all but the tokens of media.

    Args:
        conversations: Turns, and whether the sound of its videos is read with them.
    """
    template = TEMPLATES[model]
    texts: list[str] = []
    ends: list[int] = []
    media: list[int] = []
    for turns, sounding in conversations:
        pieces = list(template.pieces(turns, sounding=sounding))
        media.append(sum(piece.count(token) for piece in pieces for token in template.placeholders))
        texts += pieces
        ends.append(len(texts))
    counts = tokenizer.counts(texts)
    starts = [0, *ends[:-1]]
    sums = (_sum(counts[start:end]) for start, end in zip(starts, ends, strict=True))
    return [None if found is None else found - own for found, own in zip(sums, media, strict=True)]


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
