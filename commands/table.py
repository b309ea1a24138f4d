"""Tables of commands: a group names its commands and where their functions are, and imports one when it is asked for.

    STORE = Group("Maintenance of the store.", {"status": Entry("store.status"), "gc": Entry("store.gc")})

A command is a function of a module of this package: `store.status` is `status` in `store.py`. Running it imports that
module and no other; the help of a group imports those of all its commands, for their summaries, and makes none.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer

from ..shards.on_demand import OnDemand
from . import output
from .help import SETTINGS, CommandWithHelp, GroupWithHelp, QuietOption, VerboseOption


@dataclass(frozen=True, slots=True)
class Entry:
    """A command of a table.

    Attributes:
        place: Module and function, below this package: `catalog.cards.show`.
        heading: The heading under which the help of its group lists it.
        examples: Name of the text in the same module that ends its own help.
    """

    place: str
    heading: str = "Commands"
    examples: str = ""

    def summary(self) -> str:
        return _first_paragraph(inspect.getdoc(self._named(self.place)))

    def make(self, name: str) -> Any:
        module = self.place.rpartition(".")[0]
        examples = self._named(f"{module}.{self.examples}") if self.examples else ""
        return command(name, self._named(self.place), examples=examples)

    @staticmethod
    def _named(place: str) -> Any:
        module, _, name = place.rpartition(".")
        return getattr(import_module(f"{__package__}.{module}"), name)


class Group(typer.Typer):
    """A group of commands, which can be the whole program: `completion` adds options to install shell completion."""

    def __init__(
        self,
        help: str,
        table: Mapping[str, Entry | Group],
        *,
        heading: str = "Commands",
        examples: str = "",
        callback: Callable[..., None] | None = None,
        completion: bool = False,
    ) -> None:
        class OfTable(GroupWithHelp):
            def __init__(self, **settings: Any) -> None:
                super().__init__(**settings)
                self.commands = OnDemand(table, lambda name, entry: entry.make(name))

        super().__init__(
            cls=OfTable,
            no_args_is_help=True,
            add_completion=completion,
            pretty_exceptions_enable=False,
            rich_markup_mode=None,
            context_settings=SETTINGS,
            help=help,
            epilog=examples or None,
            callback=callback,
        )
        self.heading, self.entries = heading, table

    def summary(self) -> str:
        return _first_paragraph(self.info.help)

    def make(self, name: str) -> Any:
        made = typer.main.get_group(self)
        made.name = name
        return made


def command(name: str, function: Callable[..., None], *, examples: str = "") -> Any:
    """Make a command of a function, with the options that every command has."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=SETTINGS)
    app.command(name, cls=CommandWithHelp, epilog=examples or None)(_with_levels(function))
    return typer.main.get_command(app)


def _with_levels(function: Callable[..., None]) -> Callable[..., None]:
    """The same command with `--quiet` and `--verbose`."""
    signature = inspect.signature(function, eval_str=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    levels = [
        inspect.Parameter("quiet", kind, default=False, annotation=QuietOption),
        inspect.Parameter("verbose", kind, default=False, annotation=VerboseOption),
    ]

    @functools.wraps(function)
    def command(*, quiet: bool, verbose: bool, **given: Any) -> None:
        output.set_level(quiet=quiet, verbose=verbose)
        function(**given)

    own = [each.replace(kind=kind) for each in signature.parameters.values()]
    own.sort(key=lambda each: each.default is not inspect.Parameter.empty)
    made = [*own, *levels]
    command.__signature__ = signature.replace(parameters=made)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in made}
    return command


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())
