"""Calls from Python: the functions of the API list their options, check their arguments, and name them in errors.

The same code runs behind a command and behind a function, and its messages name options as they are typed: `--by`. An
error that leaves a function of the API keeps that text as `message`, which the command line prints; its text as an
exception names the arguments of the call: `by=`, `force=True`.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin

from ..errors import TriptychError, UsageError
from .model import KINDS, Options, Parameter, parameters

P = ParamSpec("P")
R = TypeVar("R")

_FLAG = re.compile(r"(?<![\w-])--(?P<flag>[a-z][a-z-]*[a-z])(?P<value> (?:'[^']*'|\"[^\"]*\"|[^\s:,;]+))?")
_FIRST = re.compile(r"\A--(?P<flag>[a-z][a-z-]*[a-z])(?P<value> [^\n]+?)(?=: )")
"""A message that begins with an option and its value: `--from /a path: there is no such file`."""

_VALUE = re.compile(r"[A-Z][A-Z_/=]*|-?\d[\d.]*|'.*'|\".*\"")
"""What is certainly a value after a flag, and not the next word of the sentence."""


@dataclass(frozen=True, slots=True)
class Argument:
    """How a call writes one option: its name, and what its value looks like."""

    name: str
    is_switch: bool = False
    is_off: bool = False
    is_path: bool = False
    is_mapping: bool = False
    choices: tuple[str, ...] = ()

    def written(self, value: str, *, certain: bool = False) -> str | None:
        """Return `name=value`, or None if the text after the flag is not its value."""
        if self.is_switch:
            return None
        if self.is_mapping and "=" in value:
            key, _, rest = value.partition("=")
            return f"{self.name}={{{key!r}: {rest!r}}}"
        if _VALUE.fullmatch(value):
            return f"{self.name}={value}"
        if value in self.choices or (certain and (" " not in value or (self.is_path and "/" in value))):
            return f"{self.name}={value!r}"
        return None

    @property
    def alone(self) -> str:
        return f"{self.name}={not self.is_off}" if self.is_switch else f"{self.name}="


@dataclass(frozen=True)
class Call:
    """One function of the API: the options that its messages may name, and the types of its own arguments."""

    function: Callable[..., Any]
    model: type[Options] | None = None
    arguments: dict[str, Argument] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, hint in self._own.items():
            self.arguments[name.replace("_", "-")] = Argument(name, is_switch=hint == "bool", is_path="Path" in hint)
        for parameter in parameters(self.model) if self.model is not None else ():
            for flag in "/".join(parameter.flags).split("/"):
                self.arguments[flag.lstrip("-")] = _argument(parameter, flag)

    @functools.cached_property
    def _own(self) -> dict[str, str]:
        """The names and types of its own arguments, as they are written."""
        every = inspect.signature(self.function).parameters.values()
        return {each.name: each.annotation for each in every if each.kind is not inspect.Parameter.VAR_KEYWORD}

    @functools.cached_property
    def _rest(self) -> str:
        """The name of `*names`, if it takes such."""
        every = inspect.signature(self.function).parameters.values()
        return next((each.name for each in every if each.kind is inspect.Parameter.VAR_POSITIONAL), "")

    def check(self, given: Mapping[str, Any]) -> None:
        """Raise UsageError for an argument of the wrong type."""
        for name, hint in self._hints.items():
            values = given.get(name, ())
            for value in values if name == self._rest else (values,) if name in given else ():
                if not _fits(value, hint):
                    raise UsageError(f"{name}={value!r}: expected {_expected(hint)}, got {type(value).__name__}.")

    @functools.cached_property
    def _hints(self) -> dict[str, Any]:
        """The types of its own arguments; read at the first call, so that importing stays fast."""
        return {name: eval(hint, self.function.__globals__) for name, hint in self._own.items()}

    def in_python(self, text: str) -> str:
        """Return a message with its options named as arguments of the call."""
        return _FLAG.sub(self._argument, _FIRST.sub(self._first_argument, text))

    def _first_argument(self, match: re.Match[str]) -> str:
        known = self.arguments.get(match["flag"])
        return (known.written(match["value"][1:], certain=True) if known is not None else None) or match[0]

    def _argument(self, match: re.Match[str]) -> str:
        known = self.arguments.get(match["flag"])
        if known is None:
            return match[0]
        value = (match["value"] or "").rstrip(".)")
        written = known.written(value[1:]) if value else None
        rest = match[0].removeprefix(f"--{match['flag']}")
        return known.alone + rest if written is None else written + rest.removeprefix(value)


def _argument(parameter: Parameter, flag: str) -> Argument:
    return Argument(
        parameter.name,
        is_switch=parameter.kind is bool,
        is_off=parameter.kind is bool and flag.startswith("--no-"),
        is_path=parameter.item is Path or "Path" in str(parameter.kind),
        is_mapping=parameter.is_mapping,
        choices=parameter.option.choices,
    )


def from_python(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function of the API: its arguments are checked, and its errors name them."""
    return _called(function, Call(function))


def described_by(model: type[Options]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """The same for a function that takes the options of a model: its signature and docstring list each of them.

    The function's last parameter is `**options`; its docstring has a line `{options}` in its list of arguments.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        called = _called(function, Call(function, model))
        called.__signature__ = signature_with(function, model)  # type: ignore[attr-defined]
        if function.__doc__:
            listed = "\n        ".join(f"{each.name}: {each.option.help}" for each in parameters(model))
            called.__doc__ = function.__doc__.replace("{options}", listed)
        return called

    return decorate


def _called(function: Callable[P, R], call: Call) -> Callable[P, R]:
    signature = inspect.signature(function)

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            call.check(signature.bind(*args, **kwargs).arguments)
            return function(*args, **kwargs)
        except TriptychError as error:
            error.args = (call.in_python(error.message),)
            raise

    return called


def signature_with(function: Callable[..., Any], model: type[Options]) -> inspect.Signature:
    """Return the signature of a function with its `**options` replaced by the options of a model."""
    signature = inspect.signature(function)
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    taken = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.required else each.shown_default,
            annotation=each.accepted,
        )
        for each in parameters(model)
    ]
    return signature.replace(parameters=[*own, *taken])


def _members(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _fits(value: Any, hint: Any) -> bool:
    return any(_is(value, each) for each in _members(hint))


def _is(value: Any, hint: Any) -> bool:
    origin = get_origin(hint) or hint
    if origin is Any:
        return True
    if origin in (None, type(None)):
        return value is None
    if origin is Callable:
        return callable(value)
    if origin in (int, float):
        return isinstance(value, Real if origin is float else Integral) and not isinstance(value, bool)
    if origin is Path:
        return isinstance(value, os.PathLike)
    if origin in (Sequence, list, tuple):
        items = get_args(hint)
        text = isinstance(value, str | bytes)
        return (
            isinstance(value, Sequence | set | frozenset) and not text and all(_fits(each, items[0]) for each in value)
        )
    if origin is Iterable:
        return isinstance(value, Iterable) and not isinstance(value, str | bytes)
    return not isinstance(origin, type) or isinstance(value, origin)


def _expected(hint: Any) -> str:
    """The accepted types in words: `text, a path or a list`."""
    words = []
    for each in _members(hint):
        origin = get_origin(each) or each
        if origin in (Sequence, list, tuple, Iterable):
            words.append("a list")
        elif origin is Callable:
            words.append("a function")
        elif origin is not type(None) and origin is not None:
            words.append(KINDS.get(origin, getattr(origin, "__name__", str(origin))))
    words = list(dict.fromkeys(words))
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
