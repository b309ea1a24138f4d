"""The splits of files that lie beside each other: `train-000.tar` and `test-000.tar`, `train.json` and `dev.json`.

Formats without a split of their own name it in their files. Where the files of one import are named as more than one
of them, each gives its name to the rows in it, so that no test row is taken for one of training. Files of one split, or
of names that say nothing, are read without one, as ever.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ...shards.split_roles import role_of_name
from ..candidate import RawFile

_WORDS = re.compile(r"[A-Za-z]+")


def name_splits(files: Sequence[RawFile], note: Callable[[str], None]) -> None:
    """Give each file the split that its name contains, if the names contain several."""
    found = [_split_in(file.name) for file in files]
    named = sorted({split for split in found if split is not None})
    if len({role_of_name(split) for split in named}) < 2:
        return
    for file, split in zip(files, found, strict=True):
        file.split = split
    note(f"the files are named as several splits: {', '.join(named)} (one for all: --set split=NAME)")
    if None in found:
        lone = files[found.index(None)].name
        note(f"files without a split in their name: {found.count(None):,} ({lone})")


def _split_in(name: str) -> str | None:
    """The only word of a file's name that is a split's; None if there is none, or several."""
    words = {word.lower() for word in _WORDS.findall(name.rpartition("/")[2]) if role_of_name(word) is not None}
    return words.pop() if len(words) == 1 else None
