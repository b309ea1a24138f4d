"""Parameters of commands: shared ones, and those generated from a model of options."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError
from ..options import Options, Parameter, parameters, split_commas

StoreOption = Annotated[
    Path | None, typer.Option("--store", envvar="TRIPTYCH_STORE", help="The store; default: ./store.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
CardsOption = Annotated[
    list[Path] | None,
    typer.Option("--cards", metavar="DIR", help="A folder of your own cards; they take precedence over the others."),
]


def takes(model: type[Options], *, only: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command so that the options of a model replace its parameter `options`.

    Args:
        only: Names of the options to take; default: all.
    """
    taken = [each for each in parameters(model) if not only or each.name in only]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        own = list(signature.parameters.values())
        place = next(index for index, each in enumerate(own) if each.name == "options")
        made = [*own[:place], *(_parameter(each) for each in taken), *own[place + 1 :]]

        @functools.wraps(function)
        def command(**given: Any) -> None:
            options = {each.name: _typed(each, given.pop(each.name)) for each in taken}
            function(**given, options=model.of(**options))

        in_order = sorted(made, key=lambda each: each.default is not inspect.Parameter.empty)
        keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in in_order]
        command.__signature__ = signature.replace(parameters=keywords)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in made}
        return command

    return decorate


def _parameter(option: Parameter) -> inspect.Parameter:
    """Convert an option to a parameter that Typer understands."""
    several = option.item is not None or option.is_mapping
    kind = _typer_kind(option)
    if not option.required and (option.default is None or several):
        kind = kind | None
    text = option.option.help
    if option.option.choices and not _names_all(option):
        text = f"{text.removesuffix('.')} ({' or '.join(option.option.choices)})."
    annotation: Any = Annotated[
        kind,
        typer.Option(
            *option.flags,
            help=text,
            envvar=option.option.env,
            metavar=None if option.kind is bool else option.metavar,
            rich_help_panel=option.option.group or None,
            show_default=option.default not in (None, False),
        ),
    ]
    default = inspect.Parameter.empty if option.required else None if several else option.default
    return inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _typer_kind(option: Parameter) -> Any:
    """The type that Typer converts to; text for a path or URL."""
    if option.is_mapping:
        return list[str]
    if option.item is not None:
        return list.__class_getitem__(option.item)
    return option.kind if isinstance(option.kind, type) else str


def _names_all(option: Parameter) -> bool:
    return all(choice in option.option.help for choice in option.option.choices)


def _typed(option: Parameter, value: Any) -> Any:
    if not option.is_mapping:
        return value
    return pairs(value, option=option.flag, form=option.option.metavar or "KEY=VALUE")


def pairs(values: list[str] | None, *, option: str, form: str = "KEY=VALUE") -> dict[str, str]:
    """Parse `["a=b"]` into a mapping; the value may contain further equal signs."""
    found: dict[str, str] = {}
    for value in values or []:
        key, equals, rest = value.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} {value!r}: write it as {option} {form}.")
        if key in found:
            raise UsageError(f"{option}: {key!r} is given twice.")
        found[key] = rest
    return found


def listed(values: list[str] | None) -> tuple[str, ...]:
    """Split the values of a repeatable option, each of which may contain several, separated by commas."""
    return split_commas(values or ())
