"""The file in which every judgement is kept, as JSON Lines:

    id, metric, call      the row, the metric that wants it, and which of its requests
    asked                 the SHA-256 of all that was sent: the model, the messages, the temperature, the seed
    said                  the answer of the judge, as it was given
    scores                what it says; absent where it is none
    error                 why there is none
    model, server, prompt_tokens, completion_tokens

Only a judgement with scores counts; of several for one request the first. Scores are read from `said` each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...shards.json_objects import parse
from .cases import Case

Key = tuple[str, str, str]
"""The row, what was sent, and which of its requests it was: the same is sent several times."""
_START = b'{"id": '


def keys_of(case: Case) -> tuple[Key, ...]:
    """What the judgements of a row are found by, in the order of its requests."""
    return tuple((case.id, call.digest(), call.name) for call in case.calls)


def read_judgements(path: Path) -> dict[Key, Mapping[str, Any]]:
    """The judgements of a file that have scores; none if there is no such file yet.

    Raises:
        UsageError: A row of it is no judgement.
    """
    found: dict[Key, Mapping[str, Any]] = {}
    for line, row in _rows(path) if path.exists() else ():
        named = all(isinstance(row.get(name), str) for name in ("id", "asked", "call"))
        if not named or {"said", "error"}.isdisjoint(row):
            raise _no_judgement(path, line)
        if "scores" in row and isinstance(row.get("said"), str):
            found.setdefault((row["id"], row["asked"], row["call"]), row)
    return found


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows with their lines, but for a last one that the end of the process cut off."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n") and line.startswith(_START[: len(line)]):
                return
            try:
                row = parse(line.decode("utf-8"))
            except (ValueError, RecursionError) as error:
                raise _no_judgement(path, number) from error
            if not isinstance(row, dict):
                raise _no_judgement(path, number)
            yield number, row


def _no_judgement(path: Path, line: int) -> UsageError:
    return UsageError(
        f"{path}:{line}: it is no judgement: id, asked, call, and said or error are expected.",
        hint="--judgements names the file that --judge writes",
    )
