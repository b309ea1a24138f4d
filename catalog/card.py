"""The card: one YAML file that describes one dataset, checked by a model.

A card is data and is taken as hostile until checked: at most 1 MB, the safe C loader, no anchors or aliases, no key
twice, no unknown key. Every error names the file, the line and the key.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..converters.readers import READERS
from ..errors import UsageError
from ..shards.sample import MODALITIES, NAME

CARD_BYTES = 1024 * 1024
SOURCE_KINDS = ("hub", "archive", "synthetic")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError("use lower-case letters, digits, '.', '_' and '-', at most 64 characters")
    return value


def _language(value: str) -> str:
    if not _LANGUAGE.fullmatch(value):
        raise ValueError("use a BCP 47 tag such as en or zh-HK")
    return value


Name = Annotated[str, AfterValidator(_name)]
Language = Annotated[str, AfterValidator(_language)]
Role = Literal["train", "validation", "test"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Scale(_Model):
    """How large the whole dataset is, where somebody counted."""

    hours: float | None = Field(default=None, ge=0)
    samples: int | None = Field(default=None, ge=0)
    speakers: int | None = Field(default=None, ge=0)
    bytes: int | None = Field(default=None, ge=0)


class Gate(_Model):
    """What must be accepted before the data can be had, and where."""

    accept: str
    where: str
    token: str | None = None


class SourceCard(_Model):
    """One place to get the data from; exactly one of `hub`, `archive` and `synthetic` says which kind.

    `reader` is a reader's name, or a mapping of one name to that reader's options.
    """

    hub: str | None = None
    archive: str | None = None
    synthetic: Literal["speech", "video", "av"] | None = None
    revision: str | None = None
    files: dict[Name, str] = Field(default_factory=dict)
    sha256: str | dict[Name, str] | None = None
    md5: str | dict[Name, str] | None = None
    nested: list[str] = Field(default_factory=list)
    seed: int = 0
    count: int | None = Field(default=None, ge=0)
    languages: list[Language] = Field(default_factory=list)
    reader: str | dict[str, dict[str, Any]]

    @model_validator(mode="after")
    def _check(self) -> SourceCard:
        kinds = [kind for kind in SOURCE_KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"say exactly one of {', '.join(SOURCE_KINDS)}")
        if isinstance(self.reader, dict) and len(self.reader) != 1:
            raise ValueError("reader takes one name")
        if self.reader_name not in READERS:
            raise ValueError(f"there is no reader {self.reader_name!r}; readers: {', '.join(READERS)}")
        if self.hub is not None and not (self.files and self.revision):
            raise ValueError("a hub source needs `revision` and `files`")
        if self.archive is not None and not self.archive.startswith("https://"):
            raise ValueError("an archive is an https:// URL")
        return self

    @field_validator("sha256", "md5")
    @classmethod
    def _check_sums(cls, value: Any, info: Any) -> Any:
        pattern = _SHA256 if info.field_name == "sha256" else _MD5
        for item in value.values() if isinstance(value, dict) else [value]:
            if item is not None and not pattern.fullmatch(item):
                raise ValueError(f"{item!r} is no {info.field_name} sum in lower-case hexadecimal")
        return value

    @property
    def kind(self) -> str:
        return next(kind for kind in SOURCE_KINDS if getattr(self, kind) is not None)

    @property
    def place(self) -> str:
        """The repository, URL or generator."""
        return str(getattr(self, self.kind))

    @property
    def reader_name(self) -> str:
        return self.reader if isinstance(self.reader, str) else next(iter(self.reader))

    @property
    def reader_options(self) -> dict[str, Any]:
        return {} if isinstance(self.reader, str) else dict(self.reader[self.reader_name])

    def sum_of(self, algorithm: Literal["sha256", "md5"], split: str) -> str | None:
        value = getattr(self, algorithm)
        return value.get(split) if isinstance(value, dict) else value


class Card(_Model):
    """One dataset of the catalog."""

    name: Name
    title: str
    panel: Literal["S1", "S2", "S3"]
    modality: str
    tasks: list[str] = Field(min_length=1)
    languages: list[Language] = Field(default_factory=list)
    license: str
    homepage: str | None = None
    citation: str | None = None
    gate: Gate | None = None
    scale: Scale = Scale()
    case: Literal["upper"] | None = None
    splits: dict[Name, Role]
    sources: list[SourceCard] = Field(min_length=1)
    pitfalls: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _check(self) -> Card:
        if self.modality not in MODALITIES:
            raise ValueError(f"modality is one of {', '.join(MODALITIES)}")
        if not self.splits:
            raise ValueError("a dataset has at least one split")
        for source in self.sources:
            unknown = sorted(set(source.files) - set(self.splits))
            if unknown:
                raise ValueError(f"source {source.place}: `files` names the unknown split(s) {', '.join(unknown)}")
        return self

    def speaks(self, language: str) -> bool:
        """Whether the dataset has a language; `zh` stands for all of its variants too."""
        wanted = language.lower()
        return any(tag.lower() == wanted or tag.lower().startswith(f"{wanted}-") for tag in self.languages)

    def defaults(self) -> dict[str, Any]:
        """The columns that every sample of the dataset shares."""
        language = self.languages[0] if len(self.languages) == 1 else None
        return {
            "panel": self.panel,
            "modality": self.modality,
            "task": self.tasks[0],
            "language": language,
            "license": self.license,
        }


def read_card(path: Path) -> Card:
    """A checked card.

    Raises:
        UsageError: Every problem with its line.
    """
    problems, card = check_card(path)
    if card is None:
        raise UsageError("\n".join(problems), hint=f"triptych catalog lint {path}")
    return card


def check_card(path: Path) -> tuple[list[str], Card | None]:
    """The problems of a card file, each as `file:line: key: message`, and the card if there are none."""
    try:
        document, lines = _load(path)
    except UsageError as error:
        return [error.message], None
    try:
        card = Card.model_validate(document)
    except ValidationError as error:
        return [_problem(path, item, lines) for item in error.errors()], None
    if card.name != path.stem:
        return [f"{path}:1: name: {card.name!r}, but the file is called {path.name}"], None
    return [], card


def _problem(path: Path, item: Any, lines: dict[tuple[Any, ...], int]) -> str:
    location = tuple(part for part in item["loc"] if not isinstance(part, str) or not part.startswith(("dict[", "str")))
    known = location
    while known and known not in lines:
        known = known[:-1]
    key = ".".join(str(part) for part in location) or "card"
    message = {"extra_forbidden": "unknown key", "missing": "this key is missing"}.get(item["type"], item["msg"])
    given = f" (got {item['input']!r})" if item["type"] not in ("missing", "value_error") and _is_short(item) else ""
    return f"{path}:{lines.get(known, 1)}: {key}: {message.removeprefix('Value error, ')}{given}"


def _is_short(item: Any) -> bool:
    return len(repr(item.get("input"))) < 80


def _load(path: Path) -> tuple[Any, dict[tuple[Any, ...], int]]:
    """The document of a card, and the line of every key path."""
    try:
        size = path.stat().st_size
        if size > CARD_BYTES:
            raise UsageError(f"{path}: {size:,} bytes; a card has at most {CARD_BYTES:,}.")
        text = path.read_text(encoding="utf-8")
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                mark = event.start_mark
                line = mark.line + 1 if mark else 1
                raise UsageError(f"{path}:{line}: anchors and aliases are not allowed in a card.")
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        lines: dict[tuple[Any, ...], int] = {}
        _note_lines(node, (), lines, path)
        return yaml.load(text, Loader=yaml.CSafeLoader), lines
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such card.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 at byte {error.start}.") from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise UsageError(f"{path}:{line}: no YAML: {getattr(error, 'problem', None) or error}") from error


def _note_lines(node: yaml.Node | None, here: tuple[Any, ...], lines: dict[tuple[Any, ...], int], path: Path) -> None:
    if node is None:
        return
    lines.setdefault(here, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise UsageError(f"{path}:{key.start_mark.line + 1}: a key must be text.")
            place = (*here, key.value)
            if place in lines:
                raise UsageError(f"{path}:{key.start_mark.line + 1}: the key {key.value!r} stands twice.")
            lines[place] = key.start_mark.line + 1
            _note_lines(value, place, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note_lines(value, (*here, index), lines, path)
