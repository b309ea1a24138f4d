"""Models of options: each option is defined once, as a field, and everything else is derived from it.

    @dataclass(frozen=True, kw_only=True)
    class ExportOptions(Options):
        seed: Annotated[int, Option("Seed of the hash order.", "Rows")] = 0

The field defines the option's type, default, help and heading. The command line, the functions of the API with their
signatures and docstrings, the dry run, the record of a run and the tables of the docs are generated from it. A field
without an `Option` is internal. A field whose type is another model adds that model's options to this one.

`Model.of(samples=10, part="1/4")` takes options as users give them: it converts each to the type of its field, or
raises an error that names it. The constructor takes values of those types. Both check them.
"""

from __future__ import annotations

import inspect
import os
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, MISSING, Field, dataclass, fields, replace
from difflib import get_close_matches
from functools import reduce
from numbers import Integral, Real
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Self, Union, get_args, get_origin, get_type_hints

from ..errors import UsageError

KINDS: dict[Any, str] = {int: "a whole number", float: "a number", str: "text", Path: "a path", bool: "True or False"}


@dataclass(frozen=True, slots=True)
class Option:
    """The attributes of an option beside its type and default.

    Attributes:
        help: One or two sentences for `--help`, docstrings and docs.
        group: The heading under which it is listed.
        name: Its name in Python, if that differs from the name of the field.
        flags: Its flags on the command line, if they differ from `--` and its name.
        env: Environment variable that sets it on the command line.
        metavar: Placeholder of the value in help and docs.
        choices: The allowed values.
        min: The smallest allowed value; `max`: the largest; `above`: values must be larger than this.
        takes: The type that users give, if `read` converts it to another one.
        read: Converts the given value to the value of the field; raises UsageError.
        recorded: Whether the record of a run may contain it; a password must not be recorded.
    """

    help: str
    group: str = ""
    _: KW_ONLY
    name: str = ""
    flags: tuple[str, ...] = ()
    env: str | None = None
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    min: int | None = None
    max: int | None = None
    above: int | None = None
    takes: Any = None
    read: Callable[[Any], Any] | None = None
    recorded: bool = True


@dataclass(frozen=True, slots=True)
class Parameter:
    """One option of a model, resolved.

    Attributes:
        path: The fields that lead to it: `("subset", "ids")`.
        name: Its name in Python.
        type: The type that users give.
        default: The default value of the field; `MISSING` if it is required.
    """

    path: tuple[str, ...]
    name: str
    type: Any
    default: Any
    option: Option

    @property
    def kind(self) -> Any:
        """The type without `| None`."""
        kinds = [each for each in _members(self.type) if each is not type(None)]
        return _any_of(kinds)

    @property
    def item(self) -> Any:
        """The type of one value if the option takes several; else None."""
        return get_args(self.kind)[0] if get_origin(self.kind) in (tuple, frozenset) else None

    @property
    def is_mapping(self) -> bool:
        return get_origin(self.kind) is Mapping or get_origin(self.kind) is dict or self.kind is Mapping

    @property
    def accepted(self) -> Any:
        """The type that the API accepts: a path may be text, and a single value is a list of one."""
        if self.is_mapping:
            return self.type
        item = self.item
        kinds = [each for each in ([item] if item is not None else _members(self.type)) if each is not type(None)]
        if Path in kinds and str not in kinds:
            kinds.insert(0, str)
        if item is not None:
            kinds.append(Sequence[str | Path] if item is Path else Sequence[str])
        if type(None) in _members(self.type):
            kinds.append(type(None))
        return _any_of(kinds)

    @property
    def accepted_text(self) -> str:
        """The source text of that type."""
        return inspect.formatannotation(self.accepted).replace("collections.abc.", "").replace("pathlib.", "")

    @property
    def shown_default(self) -> Any:
        """The default as the API shows it; an empty tuple for an option that takes several values."""
        return () if self.item is not None else self.default

    @property
    def required(self) -> bool:
        return self.default is MISSING

    @property
    def flags(self) -> tuple[str, ...]:
        """Its flags on the command line; a switch has a `--no-` form too."""
        if self.option.flags:
            return self.option.flags
        flag = f"--{self.name.replace('_', '-')}"
        return (f"{flag}/--no-{flag[2:]}",) if self.kind is bool else (flag,)

    @property
    def flag(self) -> str:
        """Its first long flag, for messages."""
        return next(flag for flag in self.flags if flag.startswith("--")).partition("/")[0]

    @property
    def metavar(self) -> str:
        """Placeholder of its value in help and docs."""
        known = {int: "N", float: "X", Path: "PATH"}
        return self.option.metavar or known.get(self.item or self.kind, self.flag.removeprefix("--").upper())

    def convert(self, value: Any) -> Any:
        """Convert a given value to the value of the field.

        Raises:
            UsageError: The value has the wrong type, or `read` refuses it.
        """
        if self.is_mapping:
            if not isinstance(value, Mapping):
                raise self._wrong_type(value, "a mapping of names to values")
            found: Any = {str(key): _plain_text(item) for key, item in value.items()}
        elif self.item is not None:
            given = [value] if isinstance(value, str | os.PathLike) else value
            if not isinstance(given, Sequence | set | frozenset) or isinstance(given, bytes):
                raise self._wrong_type(value, f"{KINDS[self.item]}, or a list")
            found = tuple(self._one(each, (self.item,)) for each in given)
            if self.option.read is None and self.item is str:
                found = split_commas(found)
        else:
            found = self._one(value, _members(self.kind))
        if self.option.read is not None:
            found = self.option.read(found)
        return frozenset(found) if get_origin(self.kind) is frozenset else found

    def check(self, value: Any) -> None:
        """Raise UsageError if a value is outside its limits."""
        option = self.option
        if value is None:
            return
        if option.choices and value not in option.choices:
            raise UsageError(f"{self.flag} takes {' or '.join(option.choices)}, not {value!r}.")
        if option.min is not None and not value >= option.min:
            raise UsageError(f"{self.flag} {value}: at least {option.min} is expected.")
        if option.max is not None and not value <= option.max:
            raise UsageError(f"{self.flag} {value}: at most {option.max} is expected.")
        if option.above is not None and not option.above < value < float("inf"):
            raise UsageError(f"{self.flag} {value}: a number above {option.above} is expected.")

    def _one(self, value: Any, kinds: Sequence[Any]) -> Any:
        if isinstance(value, bool) and bool not in kinds:
            raise self._wrong_type(value, KINDS[kinds[0]])
        if bool in kinds and isinstance(value, bool):
            return value
        if int in kinds and isinstance(value, Integral):
            return int(value)
        if float in kinds and isinstance(value, Real):
            return float(value)
        if Path in kinds and str not in kinds and value == "":
            raise UsageError(f"{self.flag} is empty: a path is expected.")
        if Path in kinds and isinstance(value, str | os.PathLike):
            return os.fspath(value) if str in kinds else Path(value).expanduser()
        if str in kinds and isinstance(value, str):
            return value
        raise self._wrong_type(value, KINDS[kinds[0]])

    def _wrong_type(self, value: Any, expected: str) -> UsageError:
        return UsageError(f"{self.name}={value!r}: expected {expected}, got {type(value).__name__}.")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base class of the models of options."""

    def __post_init__(self) -> None:
        for parameter in parameters(type(self)):
            if len(parameter.path) == 1:
                parameter.check(getattr(self, parameter.path[0]))
        self.check()

    def check(self) -> None:
        """Raise UsageError if options contradict each other, or name something that does not exist."""

    @classmethod
    def of(cls, **given: Any) -> Self:
        """Build the model from options as users give them, by their names in Python; None means not given.

        Raises:
            UsageError: An option that does not exist, has the wrong type, or an invalid value.
        """
        values = {name: value for name, value in given.items() if value is not None}
        named = {parameter.name: parameter for parameter in parameters(cls)}
        for name in values:
            if name not in named:
                close = get_close_matches(name, named, n=1)
                hint = f"did you mean {close[0]}?" if close else f"options: {', '.join(named)}"
                raise UsageError(f"There is no option {name!r}.", hint=hint)
        missing = [
            parameter.name for parameter in named.values() if parameter.required and parameter.name not in values
        ]
        if missing:
            raise UsageError(f"{' and '.join(missing)} must be given.")
        built: Self = _build(cls, {named[name].path: named[name].convert(value) for name, value in values.items()})
        return built

    def asked(self) -> dict[str, Any]:
        """Return the options that differ from their defaults, as plain values, for the record of a run."""
        found: dict[str, Any] = {}
        for parameter in parameters(type(self)):
            value = self.value(parameter)
            if value != parameter.default and parameter.option.recorded:
                found[parameter.name] = _plain(value)
        return found

    def asked_flags(self) -> list[str]:
        """Return the command-line flags of the options that differ from their defaults."""
        return [each.flag for each in parameters(type(self)) if self.value(each) != each.default]

    def value(self, parameter: Parameter) -> Any:
        """Return the value of one of its parameters."""
        found: Any = self
        for name in parameter.path:
            found = getattr(found, name)
        return found

    def over(self, base: Self) -> Self:
        """Return these options where they differ from their defaults, and those of `base` elsewhere."""
        values = {}
        for each in fields(self):
            own = getattr(self, each.name)
            if isinstance(own, Options):
                values[each.name] = own.over(getattr(base, each.name))
            else:
                values[each.name] = own if own != _default(each) else getattr(base, each.name)
        return type(self)(**values)

    def changed(self, **values: Any) -> Self:
        """Return a copy with some fields changed."""
        return replace(self, **values)


def parameters(model: type[Options]) -> tuple[Parameter, ...]:
    """Return the options of a model in order, including those of nested models."""
    if model not in _READ:
        _READ[model] = tuple(_read(model))
    return _READ[model]


_READ: dict[type[Options], tuple[Parameter, ...]] = {}


def _read(model: type[Options]) -> Iterator[Parameter]:
    hints = get_type_hints(model, include_extras=True)
    for field in fields(model):
        hint = hints[field.name]
        if isinstance(hint, type) and issubclass(hint, Options):
            for inner in parameters(hint):
                yield replace(inner, path=(field.name, *inner.path))
            continue
        option = next((each for each in get_args(hint)[1:] if isinstance(each, Option)), None)
        if get_origin(hint) is Annotated and option is not None:
            default = _default(field)
            given = option.takes or get_args(hint)[0]
            if default is None and type(None) not in _members(given):
                given = given | None
            yield Parameter((field.name,), option.name or field.name, given, default, option)


def flag_of(model: type[Options], field: str) -> str:
    """Return the command-line flag of a field."""
    return next(parameter.flag for parameter in parameters(model) if parameter.path[-1] == field)


def split_commas(values: Sequence[str]) -> tuple[str, ...]:
    """Split values that may each contain several, separated by commas."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def _build(model: type[Any], values: Mapping[tuple[str, ...], Any]) -> Any:
    """Build a model and its nested models from values by the path of their field."""
    own = {path[0]: value for path, value in values.items() if len(path) == 1}
    for field in fields(model):
        inner = {path[1:]: value for path, value in values.items() if path[0] == field.name and len(path) > 1}
        if inner:
            own[field.name] = _build(_hints(model)[field.name], inner)
    return model(**own)


_HINTS: dict[type[Any], dict[str, Any]] = {}


def _hints(model: type[Any]) -> dict[str, Any]:
    """The types of a model's fields, which Python evaluates from text."""
    if model not in _HINTS:
        _HINTS[model] = get_type_hints(model)
    return _HINTS[model]


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _members(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _any_of(kinds: Sequence[Any]) -> Any:
    """Return the union `A | B | None`."""
    return reduce(or_, kinds)


def _plain_text(value: Any) -> Any:
    """Convert numbers to text, as values for every row are text on the command line."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _plain(value: Any) -> Any:
    """Convert a value to what JSON can represent; values of other types become their text."""
    if type(value) in (tuple, list, frozenset, set):
        return [_plain(each) for each in (sorted(value) if isinstance(value, frozenset | set) else value)]
    if type(value) is dict:
        return {key: _plain(each) for key, each in value.items()}
    return value if value is None or type(value) in (str, int, float, bool) else str(value)
