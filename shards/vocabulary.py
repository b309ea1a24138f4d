"""The words of samples for tasks, modalities, panels and languages; other spellings become these, others are refused.

Tasks are names of our own; a task of yours alone starts with `x-`. Languages are BCP 47 tags (RFC 5646): the shortest
ISO 639 code, then script and region: `EN`, `eng` and `English` are `en`, `zh_hans_cn` is `zh-Hans-CN`, `en-UK` is
`en-GB`. Languages and regions must exist; other subtags are checked for their form only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib import resources

from .sample import MODALITIES, PANELS

TASKS = (
    "asr", "s2tt", "tts", "phoneme", "aac", "captioning", "ser", "vsc", "tagging", "classification", "qa", "chat",
    "speaker", "term_retrieval", "diarization", "vad", "lid", "kws", "separation", "enhancement", "grounding",
    "retrieval", "translation", "preference",
)  # fmt: skip
OWN_TASK = re.compile(r"x-[a-z0-9][a-z0-9_-]*")

_TASK_NAMES: Mapping[str, tuple[str, ...]] = {
    "asr": ("transcription", "transcribe", "speech recognition", "automatic speech recognition", "stt", "s2t",
            "speech to text"),
    "s2tt": ("ast", "st", "speech translation", "speech to text translation"),
    "tts": ("text to speech", "speech synthesis"),
    "phoneme": ("phoneme recognition", "phone recognition", "phonemes"),
    "aac": ("audio captioning", "automated audio captioning"),
    "captioning": ("caption", "captions", "video captioning", "image captioning"),
    "ser": ("emotion", "emotion recognition", "speech emotion recognition"),
    "vsc": ("vocal sound classification",),
    "tagging": ("audio tagging", "tags"),
    "classification": ("classify", "audio classification", "video classification"),
    "qa": ("vqa", "aqa", "question answering", "audio qa", "video qa", "mcqa"),
    "chat": ("conversation", "dialogue", "dialog"),
    "speaker": ("speaker recognition", "speaker identification", "speaker verification"),
    "diarization": ("diarisation", "speaker diarization"),
    "vad": ("voice activity detection",),
    "lid": ("language identification",),
    "kws": ("keyword spotting",),
}  # fmt: skip
_MODALITY_NAMES: Mapping[str, tuple[str, ...]] = {
    "audio": ("sound", "speech"),
    "mixed": ("audio video", "audiovisual", "audio visual", "av"),
}
_SPACES = re.compile(r"[\s_-]+")
_SCRIPT, _REGION = re.compile(r"[A-Za-z]{4}"), re.compile(r"[A-Za-z]{2}|\d{3}")
_UNITED_KINGDOM = {"UK": "GB"}
_OTHER_SUBTAG = re.compile(r"[A-Za-z0-9]{1,8}")


class UnknownWordError(ValueError):
    """A value that is none of the words of its column; `expected` says what is, `near` is the closest of them."""

    def __init__(self, value: str, expected: str, near: str | None = None) -> None:
        self.value, self.expected, self.near = value, expected, near
        super().__init__(f"expected {self.described}, got {value!r}")

    @property
    def hint(self) -> str | None:
        """The closest word, as the hint of an error."""
        return f"did you mean {self.near}?" if self.near else None

    @property
    def described(self) -> str:
        """What was expected, with the closest word."""
        return self.expected + (f" (did you mean {self.near}?)" if self.near else "")


@lru_cache(maxsize=4096)
def as_task(value: str) -> str:
    """Return the name of a task.

    Raises:
        UnknownWordError: There is no such task.
    """
    task = value.strip().lower()
    if OWN_TASK.fullmatch(task):
        return task
    return _word(value, TASKS, _TASK_NAMES, f"one of {', '.join(TASKS)}, or a task of your own, x-NAME")


@lru_cache(maxsize=64)
def as_modality(value: str) -> str:
    """Return the name of a modality.

    Raises:
        UnknownWordError: There is no such modality.
    """
    return _word(value, MODALITIES, _MODALITY_NAMES, f"one of {', '.join(MODALITIES)}")


@lru_cache(maxsize=64)
def as_panel(value: str) -> str:
    """Return the name of a panel.

    Raises:
        UnknownWordError: There is no such panel.
    """
    panel = value.strip().upper()
    if panel not in PANELS:
        raise UnknownWordError(value, f"one of {', '.join(PANELS)}")
    return panel


@lru_cache(maxsize=4096)
def as_language(value: str) -> str:
    """Return the BCP 47 tag of a language given as a tag in any case, an ISO 639 code or a name.

    Raises:
        UnknownWordError: There is no such language, or the tag is malformed.
    """
    text = value.strip()
    tags, _ = _table()
    if named := tags.get(text.casefold()):
        return named
    first, *rest = re.split(r"[-_]", text)
    if first.lower() == "x" and rest and all(_OTHER_SUBTAG.fullmatch(part) for part in rest):
        return "-".join(["x", *map(str.lower, rest)])
    language = tags.get(first.lower()) if first.isascii() and len(first) <= 3 else None
    subtags = [_subtag(part) for part in rest]
    if language is None or None in subtags:
        known = [name for name in tags if len(name) > 3]
        near = _near(text.casefold(), known) if len(text) > 3 else None
        raise UnknownWordError(
            value,
            "a BCP 47 tag such as en, zh-HK or yue, or a language's name",
            near and f"{near.title()} ({tags[near]})",
        )
    return "-".join([language, *filter(None, subtags)])


NORMALIZED: Mapping[str, Callable[[str], str]] = {
    "task": as_task,
    "modality": as_modality,
    "panel": as_panel,
    "language": as_language,
    "target_language": as_language,
}
"""Column of the sample -> the function that normalizes its values."""


def _subtag(part: str) -> str | None:
    """A subtag after the language as it is written; None for one that is malformed or an unknown region."""
    if _SCRIPT.fullmatch(part):
        return part.title()
    if _REGION.fullmatch(part):
        region = _UNITED_KINGDOM.get(part.upper(), part.upper())
        return region if region.isdigit() or region in _table()[1] else None
    return part.lower() if _OTHER_SUBTAG.fullmatch(part) else None


def _word(value: str, known: tuple[str, ...], names: Mapping[str, tuple[str, ...]], expected: str) -> str:
    spelled = _SPACES.sub(" ", value.strip().lower())
    words = {_SPACES.sub(" ", word): word for word in known}
    words |= {name: word for word, others in names.items() for name in others}
    if spelled in words:
        return words[spelled]
    near = _near(spelled, words)
    raise UnknownWordError(value, expected, words[near] if near else None)


def _near(word: str, known: Iterable[str]) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.7)), None)


@lru_cache(maxsize=1)
def _table() -> tuple[dict[str, str], frozenset[str]]:
    """Codes and lower-case names of languages -> tag, and the regions, from `languages.tsv`."""
    text = resources.files(__package__).joinpath("languages.tsv").read_text(encoding="utf-8")
    tags: dict[str, str] = {}
    names_of: dict[str, str] = {}
    regions: frozenset[str] = frozenset()
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        tag, codes, names = line.split("\t")
        if tag == "@":
            regions = frozenset(codes.split())
            continue
        for code in codes.split():
            tags[code] = code if tag == "-" else tag
        if tag != "-":
            tags[tag] = tag
            names_of |= {name.casefold(): tag for name in names.split(", ") if name}
    return names_of | tags, regions
