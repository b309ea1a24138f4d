"""What is written from the models of options: the arguments of the API for static checkers, the tables of the docs.

    python -m triptych.commands.reference

writes `arguments.py` and the tables of `docs/commands.md` anew, in a checkout. A test holds both equal to the models.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..catalog.inventory import ListOptions
from ..catalog.pull.options import PullOptions
from ..converters.convert.options import ConvertOptions
from ..converters.export.options import ExportOptions
from ..converters.imports.options import ImportOptions
from ..options import Options, Parameter, parameters

MODELS: dict[str, type[Options]] = {
    "pull": PullOptions,
    "import": ImportOptions,
    "convert": ConvertOptions,
    "export": ExportOptions,
    "list": ListOptions,
}
"""Command -> the model of its options."""

ROOT = Path(__file__).resolve().parents[1]
_TABLE = re.compile(r"<!-- options of (\w+) -->\n.*?<!-- end of options -->", re.DOTALL)
_HEAD = '''"""The options of each function of the API, for static checkers.

Written by `python -m triptych.commands.reference`; a change here is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Required, TypedDict
'''


def arguments_file() -> str:
    """The text of `arguments.py`."""
    return "\n\n".join([_HEAD, *(_typed_dict(command, model) for command, model in MODELS.items())])


def _typed_dict(command: str, model: type[Options]) -> str:
    lines = [f"class {command.capitalize()}Arguments(TypedDict, total=False):"]
    lines.append(f'    """The options of `{command}`."""\n')
    for parameter in parameters(model):
        hint = f"Required[{parameter.accepted_text}]" if parameter.required else parameter.accepted_text
        lines.append(f"    {parameter.name}: {hint}")
    return "\n".join(lines) + "\n"


def option_table(model: type[Options]) -> str:
    """The options of a model as a table of Markdown, group by group."""
    groups = dict.fromkeys(parameter.option.group for parameter in parameters(model))
    lines = ["| option | |", "| --- | --- |"]
    for group in groups:
        lines.append(f"| **{group}** | |")
        lines += [_row(parameter) for parameter in parameters(model) if parameter.option.group == group]
    return "\n".join(lines)


def _row(parameter: Parameter) -> str:
    value = "" if parameter.kind is bool else f" {parameter.metavar}"
    names = ", ".join(f"`{name}`" for name in parameter.flags[1:])
    said = parameter.option.help.replace("|", "\\|")
    notes = [
        f"also {names}" if names else "",
        f"one of {', '.join(f'`{each}`' for each in parameter.option.choices)}" if parameter.option.choices else "",
        "must be given" if parameter.required else "",
        f"default: `{parameter.default}`" if parameter.default not in (None, False, (), frozenset(), {}, "")
        and not parameter.required and parameter.kind is not bool else "",
        f"environment: `{parameter.option.env}`" if parameter.option.env else "",
        "repeatable" if parameter.item is not None or parameter.is_mapping else "",
    ]  # fmt: skip
    more = "; ".join(note for note in notes if note)
    return f"| `{parameter.flags[0]}{value}` | {said}{f' ({more})' if more else ''} |"


def docs_page(text: str) -> str:
    """A page with its tables of options written anew."""

    def table(match: re.Match[str]) -> str:
        return f"<!-- options of {match[1]} -->\n\n{option_table(MODELS[match[1]])}\n\n<!-- end of options -->"

    return _TABLE.sub(table, text)


def main() -> None:
    (ROOT / "arguments.py").write_text(arguments_file(), encoding="utf-8")
    page = ROOT / "docs" / "commands.md"
    page.write_text(docs_page(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
