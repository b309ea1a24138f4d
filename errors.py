"""The errors that users see, each with the exit code of the commands.

Exit codes: 0 success; 1 problems were found and printed; 2 usage error; 3 network, gate or missing login; 4 damaged
data or store. A message names the file, row, column and value; `hint` is the next command to type.
"""

from __future__ import annotations

from collections.abc import Iterable


class TriptychError(Exception):
    """Base of every error that the user can act on.

    `hint` is the next thing to type or do; the command line prints it on a separate line. `message` names options as
    they are typed (`--by`); the text of an error that leaves a function of the API names its arguments (`by=`).
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ProblemsFound(TriptychError):
    """The command completed and found problems in the data."""

    exit_code = 1


class UsageError(TriptychError):
    """An invalid option, name or file: nothing was done."""

    exit_code = 2


class NetworkError(TriptychError):
    """A host could not be reached, or kept failing after bounded retries."""

    exit_code = 3


class GateError(NetworkError):
    """The data is behind a licence form or a login that has not been passed."""

    exit_code = 3


class DamagedError(TriptychError):
    """Damaged data or store: a wrong checksum, a truncated file, an account that does not balance."""

    exit_code = 4


class StoreReadOnly(DamagedError):
    """The store is on a read-only mount, or this user may not write to its folders."""

    def __init__(self, root: object) -> None:
        super().__init__(
            f"The store {root} cannot be written by this user (read-only mount or permissions).",
            hint="reading and querying still work; to write, choose another store with --store PATH",
        )


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return the hint for a mistyped name: the closest known ones, or None if none is close."""
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), list(dict.fromkeys(known)), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else None


def amount(count: float, noun: str, verb: str = "") -> str:
    """Return a number with its noun: `1 row`, `2,000 rows`, `0.5 epochs`.

    Args:
        verb: That of several, `are`, `were`, `have` or `do`, to follow: `1 row is`.
    """
    number = f"{count:{',' if isinstance(count, int) else ',.3g'}} {noun}"
    return " ".join(filter(None, (number, _OF_ONE.get(verb)) if count == 1 else (f"{number}s", verb)))


_OF_ONE = {"are": "is", "were": "was", "have": "has", "do": "does"}
