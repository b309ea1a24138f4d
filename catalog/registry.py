"""Find and load cards: the bundled ones, and the user's own, which take precedence.

The user's cards are in `~/.config/triptych/cards` or `--cards DIR`.
"""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path

from ..errors import UsageError
from .schema.card import Card
from .schema.lint import check_card

log = logging.getLogger("triptych")


def card_folders(extra: Sequence[Path] = ()) -> list[Path]:
    """Return the folders to search for cards, in order."""
    config = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    return [*extra, config / "triptych" / "cards", Path(str(resources.files("triptych.catalog.cards")))]


def card_paths(extra: Sequence[Path] = ()) -> dict[str, Path]:
    """Return the file of every card by name; the first folder that has a name wins."""
    for folder in extra:
        if not folder.is_dir():
            raise UsageError(f"--cards {folder}: there is no such folder.")
    found: dict[str, Path] = {}
    for folder in card_folders(extra):
        for name in os.listdir(folder) if folder.is_dir() else ():  # noqa: PTH208 (ten times quicker than a glob)
            if name.endswith(".yaml"):
                found.setdefault(name.removesuffix(".yaml"), folder / name)
    return dict(sorted(found.items()))


def get_card(name: str, *, extra: Sequence[Path] = ()) -> Card:
    """Return the card with this name.

    Raises:
        UsageError: There is none, and the hint suggests the closest names; or the card is invalid, and the message
            lists every problem with its line.
    """
    paths = card_paths(extra)
    if name not in paths:
        near = difflib.get_close_matches(name, paths, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "list them: triptych catalog list"
        raise UsageError(f"There is no card {name!r}.", hint=hint)
    problems, card = _check(paths[name])
    if card is None:
        raise UsageError("\n".join(problems), hint=f"triptych catalog lint {paths[name]}")
    return card


def _check(path: Path) -> tuple[list[str], Card | None]:
    """The problems of a card file, and the card if there are none; it is parsed again only if the file changes."""
    try:
        stat = path.stat()
    except OSError:
        return check_card(path)  # says what is wrong
    problems, card = _checked(path, stat.st_mtime_ns, stat.st_size)
    return [*problems], card


@lru_cache(maxsize=512)
def _checked(path: Path, mtime_ns: int, size: int) -> tuple[list[str], Card | None]:
    return check_card(path)


def refuse_name_of_card(name: str) -> None:
    """Raise UsageError for the name of a card: rows of one's own would count as pulled from its corpus."""
    if name in card_paths():
        raise UsageError(
            f"{name!r} is a dataset of the catalog; your own data needs another name.",
            hint=f"--name my-{name}, or for files of that corpus: triptych catalog pull {name} --from PATH",
        )


def all_cards(*, extra: Sequence[Path] = ()) -> list[Card]:
    """Return every card, sorted by name; invalid cards are logged and left out."""
    cards = []
    for path in card_paths(extra).values():
        problems, card = _check(path)
        if card is not None:
            cards.append(card)
        for problem in problems:
            log.warning("%s", problem)
    return cards


def lint(paths: Sequence[Path], *, extra: Sequence[Path] = ()) -> dict[Path, list[str]]:
    """Return the problems by card file; a folder means all cards in it; default: the whole catalog."""
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: there is no such file or folder.")
        files.extend(sorted(path.glob("*.yaml")) if path.is_dir() else [path])
    return {path: _check(path)[0] for path in files or card_paths(extra).values()}
