"""The layout of `--help`: uncut summaries, options and commands under headings, examples as they are typed.

Typer shows headings only through Rich, which takes longer to load than most commands take to run; these are plain text.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ..version import __version__
from . import output

EVERY_COMMAND = "Every command"
MOST_OWNERS = 3
"""An option that more commands have says nothing about which of them was meant."""
SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 110}

QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show errors only, no progress or notes.", rich_help_panel=EVERY_COMMAND)
]
VerboseOption = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Log every step; show tracebacks of errors.", rich_help_panel=EVERY_COMMAND),
]


def _show_version(value: bool) -> None:
    if value:
        output.say(f"triptych {__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
]


class CommandWithHelp(TyperCommand):
    """A command whose help lists options under headings, and that knows whose an option is which it does not have."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except Exception as error:  # its class differs between versions of Typer, its attributes do not
            name = getattr(error, "option_name", None)
            if name is not None and hasattr(error, "possibilities"):
                owners = sorted(_commands_with(name, ctx.find_root()))
                if 0 < len(owners) <= MOST_OWNERS:
                    error.message += f". It is an option of {' and '.join(owners)}."  # type: ignore[attr-defined]
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        pieces = ["[OPTIONS]"]
        for parameter in self.get_params(ctx):
            if parameter.param_type_name == "argument":
                word = _argument_word(parameter)
                pieces.append(word if parameter.required else f"[{word}]")
        return pieces

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _write_examples(self, formatter)


def _commands_with(option: str, root: Any) -> Iterator[str]:
    """The commands below the root that have an option of that name."""
    waiting = [(root.command_path, root.command)]
    while waiting:
        path, command = waiting.pop()
        below = getattr(command, "commands", {})
        waiting += [(f"{path} {name}", each) for name, each in below.items()]
        if not below and any(option in each.opts for each in command.params):
            yield path


class GroupWithHelp(TyperGroup):
    """A group whose help lists commands under headings, each with its uncut summary."""

    commands: Any
    """A mapping that makes commands on demand; its `entries` have the heading and summary of each."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = self._places(ctx, name) or get_close_matches(name, self.list_commands(ctx), n=3)
            meant = " or ".join(f"{ctx.command_path} {each}" for each in near)
            ctx.fail(f"No such command {name!r}." + (f" Did you mean: {meant}?" if meant else ""))
        return super().resolve_command(ctx, args)

    def _places(self, ctx: Any, name: str) -> list[str]:
        """Return where a command of that name stands below this group: `catalog pull` for `pull`."""
        groups = {each: self.get_command(ctx, each) for each in self.list_commands(ctx)}
        return [f"{each} {name}" for each, group in groups.items() if name in getattr(group, "commands", {})]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        self.format_commands(ctx, formatter)
        _write_options(self, ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, entry in self.commands.entries.items():
            sections.setdefault(entry.heading, []).append((name, entry.summary()))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _write_examples(self, formatter)


def _write_options(command: Any, ctx: Any, formatter: Any) -> None:
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            if parameter.param_type_name == "argument":
                record = (_argument_word(parameter), record[1].replace("  [required]", ""))
            own = "Arguments" if parameter.param_type_name == "argument" else EVERY_COMMAND
            heading = getattr(parameter, "rich_help_panel", None) or own
            sections.setdefault(heading, []).append(record)
    for heading in sorted(sections, key=lambda each: (each != "Arguments", each == EVERY_COMMAND)):
        with formatter.section(heading):
            formatter.write_dl(sections[heading])


def _argument_word(parameter: Any) -> str:
    """The word that stands for an argument: `NAME`, or `NAME...` if it can be repeated."""
    is_list = parameter.nargs == -1
    word = parameter.metavar or (parameter.name.removesuffix("s") if is_list else parameter.name).upper()
    return f"{word}..." if is_list else str(word)


def _write_examples(command: Any, formatter: Any) -> None:
    """Write the examples unwrapped, so that they can be copied."""
    if command.epilog:
        formatter.write("\nExamples:\n" + "".join(f"  {line}\n" for line in command.epilog.strip().splitlines()))
