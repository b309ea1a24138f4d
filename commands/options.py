"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError

StoreOption = Annotated[
    Path | None, typer.Option("--store", envvar="TRIPTYCH_STORE", help="The store; ./store by default.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
CardsOption = Annotated[
    list[Path] | None, typer.Option("--cards", help="A folder of your own cards; they go before the others.")
]


def pairs(values: list[str] | None, *, option: str) -> dict[str, str]:
    """`["a=b"]` as a mapping; the value may hold further equal signs."""
    found: dict[str, str] = {}
    for value in values or []:
        key, equals, rest = value.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} {value!r}: write it as {option} KEY=VALUE.")
        if key in found:
            raise UsageError(f"{option}: {key!r} is given twice.")
        found[key] = rest
    return found


def listed(values: list[str] | None) -> tuple[str, ...]:
    """Values of a repeatable option, each of which may hold several, separated by commas."""
    return tuple(part.strip() for value in values or [] for part in value.split(",") if part.strip())
