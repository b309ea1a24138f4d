"""Reading a configuration: the YAML file, then the values set beside it; every problem with its file and line.

    read_config(RunConfig, Path("finetune.yaml"), [Setting("--set", "training.lr", "1e-4", is_yaml=True)])

Files are untrusted: `shards/strict_yaml.py` reads them. A value that is set replaces that of the file, and its errors
name the option. A section without keys (`lora:`) is refused: it may be meant as its defaults, or as none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from ....errors import UsageError
from ....shards.strict_yaml import Lines, YamlDocument, parse_yaml, read_yaml, yaml_text
from ....shards.yaml_problems import line_of, message_of, place_of
from .consistency import ALTERNATIVES, contradictions, remarks, value_at
from .old_names import MOVED, REPLACED, Place, nearest
from .sections import RunConfig, Section

C = TypeVar("C", bound=RunConfig)

NONE = "none"
"""What switches off a section that may be absent."""

_NOUN = "configuration"


@dataclass(frozen=True, slots=True)
class Setting:
    """One value that is set beside the file.

    Attributes:
        option: The option that sets it, for messages.
        key: Dotted: `training.lr`.
        value: The value, or its YAML as text where it `is_yaml`.
    """

    option: str
    key: str
    value: Any
    is_yaml: bool = False

    @property
    def place(self) -> Place:
        return tuple(self.key.split("."))

    def __str__(self) -> str:
        return f"{self.option} {self.key}={self.value}" if self.is_yaml else f"{self.option} {self.value}"


@dataclass(frozen=True, slots=True)
class ReadConfig(Generic[C]):
    """A configuration that was read, and what to tell about it."""

    config: C
    notes: tuple[str, ...] = ()


def read_config(model: type[C], path: Path | None, settings: Sequence[Setting] = ()) -> ReadConfig[C]:
    """Read and check a configuration.

    Args:
        model: The configuration of the trainer.
        path: The YAML file; None: all is set.
        settings: Values that replace those of the file; of two for one key the last counts.

    Raises:
        UsageError: It is invalid; the message lists every problem.
    """
    document = read_yaml(path, noun=_NOUN) if path is not None else YamlDocument({})
    if document.value is None:
        document = YamlDocument({}, document.lines)
    if not isinstance(document.value, Mapping):
        raise UsageError(f"{path}: a configuration is a mapping of sections.", hint=_HINT)
    reading = _Reading(path, document.lines, model)
    values = reading.file_values(document.value)
    for setting in settings:
        reading.set(values, setting)
    config = reading.validated(values)
    return ReadConfig(config, (*reading.notes, *remarks(config)))


_HINT = "triptych train config prints examples; docs/reference/training-configuration.md lists every key"


class _Reading(Generic[C]):
    """One configuration while it is read: where each value came from, and what is wrong."""

    def __init__(self, path: Path | None, lines: Lines, model: type[C]) -> None:
        self.path, self.lines, self.model = path, lines, model
        self.notes: list[str] = []
        self._problems: list[str] = []
        self._set: dict[Place, Setting] = {}
        self._answered: set[Place] = set()
        self._keys = tuple(keys_of(model))

    def file_values(self, given: Mapping[Any, Any]) -> dict[Any, Any]:
        """The file's values under the names that they have here."""
        values = {key: dict(value) if isinstance(value, Mapping) else value for key, value in given.items()}
        for old, (new, advice) in REPLACED.items():
            if isinstance(section := values.get(old[0]), dict) and old[-1] in section:
                self._found(old, advice(section.pop(old[-1])))
                self._answered.add(new)
        for old, new in MOVED.items():
            if (value := value_at(values, old)) is None:
                continue
            del values[old[0]][old[-1]]
            if value_at(values, new) is not None:
                self._found(old, f"{'.'.join(new)} says the same: give one of them")
            elif isinstance(section := values.setdefault(new[0], {}), dict):
                section[new[-1]] = value
                self.lines[new] = line_of(old, self.lines)
                self.notes.append(f"{self._where(old)}: {'.'.join(old)} is now {'.'.join(new)}")
        for name, value in values.items():
            if value is None and name in _sections(self.model):
                off = f", or {name}: {NONE}" if name in _optional(self.model) else ""
                self._found(
                    (name,),
                    f"the section is empty: write its keys, {name}: {{}} for its defaults{off}, or leave it out",
                )
        return values

    def set(self, values: dict[Any, Any], setting: Setting) -> None:
        """Put a value in the place of the file's."""
        place = setting.place
        if not all(place):
            raise UsageError(f"{setting}: a key is written as section.key, such as training.lr=1e-4.")
        if place in REPLACED:
            raise UsageError(f"{setting}: {REPLACED[place][1](setting.value)}.")
        place = MOVED.get(place, place)
        value = _parsed(setting) if setting.is_yaml else setting.value
        here = values
        for part in place[:-1]:
            inner = here.get(part)
            if isinstance(inner, list):
                raise UsageError(f"{setting}: {part} is a list: set it as a whole, as --set '{part}=[...]'.")
            if not isinstance(inner, dict):
                inner = here[part] = {}
            here = inner
        here[place[-1]] = value
        for pair in ALTERNATIVES:
            if place in pair and value is not None:
                other = pair[1 - pair.index(place)]
                if other not in self._set and value_at(values, other[:-1]) is not None:
                    values[other[0]].pop(other[-1], None)
        self._set[place] = setting

    def validated(self, values: dict[Any, Any]) -> C:
        """The checked configuration; raises UsageError with every problem."""
        config: C | None = None
        for name in ("model", "data"):  # so that the key is named which is missing there
            values.setdefault(name, {})
        try:
            config = self.model.model_validate(values)
        except ValidationError as error:
            for item in error.errors():
                place = place_of(item, self.lines)
                if not (item["type"] == "missing" and place in self._answered):
                    self._found(place, self._message(place, item))
        if config is not None:
            for place, message in contradictions(config, values):
                self._found(place, message)
        if config is None or self._problems:
            raise UsageError("\n".join(self._problems), hint=_HINT)
        return config

    def _message(self, place: Place, item: Any) -> str:
        if item["type"] == "extra_forbidden":
            near = nearest(place, self._keys)
            return f"unknown key; did you mean {near}?" if near else "unknown key"
        if item["type"] in ("model_type", "model_attributes_type"):
            names = ", ".join(key.rpartition(".")[2] for key in self._keys if key.rpartition(".")[0] == str(place[-1]))
            return f"a section with keys is expected ({names}), not {item['input']!r}"
        if item["type"] == "missing" and (option := _SET_BY.get(place)) is not None:
            return f"this key is missing; {option} sets it too"
        if item["type"] == "tuple_type":
            return f"a list is expected, not {item['input']!r}"
        return message_of(item)

    def _found(self, place: Place, message: str) -> None:
        text = f"{self._where(place)}: {message}"
        if text not in self._problems:
            self._problems.append(text)

    def _where(self, place: Place) -> str:
        """`file:line: key`, or the option that set it."""
        name = ".".join(map(str, place)) or _NOUN
        for length in range(len(place), 0, -1):
            if (setting := self._set.get(place[:length])) is not None:
                return str(setting) if length == len(place) else f"{setting}: {name}"
        if (inside := next((each for at, each in self._set.items() if at[: len(place)] == place), None)) is not None:
            return f"{inside}: {name}"
        return f"{self.path}:{line_of(place, self.lines)}: {name}" if self.path is not None else name


_SET_BY: dict[Place, str] = {
    ("model", "base_model"): "--model",
    ("data", "train"): "the name of the export after the command",
}


def _parsed(setting: Setting) -> Any:
    if not isinstance(setting.value, str):
        return setting.value
    return parse_yaml(setting.value.encode(), name=f"{setting.option} {setting.key}", noun="value").value


def keys_of(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """Yield every key of a model, dotted; those of a list's items without a number."""
    for name, field in model.model_fields.items():
        inner = section_of(field.annotation)
        if inner is not None and not _is_list(field.annotation):
            yield from keys_of(inner, f"{before}{name}.")
        else:
            yield f"{before}{name}"


def section_of(annotation: Any) -> type[Section] | None:
    """The section that a field holds: itself, optionally, or as a list."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for each in get_args(annotation) if (found := section_of(each)) is not None), None)


def _is_list(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is tuple


def _sections(model: type[BaseModel]) -> set[str]:
    return {name for name, field in model.model_fields.items() if section_of(field.annotation) is not None}


def _optional(model: type[BaseModel]) -> set[str]:
    return {name for name in _sections(model) if type(None) in get_args(model.model_fields[name].annotation)}


def config_text(config: RunConfig) -> str:
    """A configuration as YAML with every key in use; reading it gives the same configuration."""
    values: dict[str, Any] = config.model_dump(mode="json")
    for name in _optional(type(config)):
        values[name] = NONE if values[name] is None else values[name]
    for first, second in ALTERNATIVES:
        if value_at(values, first) is not None:
            del values[second[0]][second[-1]]
    return yaml_text(values)
