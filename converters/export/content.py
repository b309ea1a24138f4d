"""What rows of an export hold of their samples: the fields that they do not carry, and the sound of their videos."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..views.left_out import names

if TYPE_CHECKING:
    import duckdb

_NAMES = 200
"""At most this many fields of `extra` are named."""


@dataclass(slots=True)
class RowContent:
    """Counts of rows.

    Attributes:
        left_out: By the name of a field that the sample has and the row does not carry; the most frequent first.
        annotated: Those of them that users have annotated.
        sounds: By where the sound of their videos is: `separate`, `in-video`.
        modes: By how they are held: `analysis`, `voice-chat`, `mixed`; of rows with sound, in a view of conversations.
    """

    left_out: Counter[str] = field(default_factory=Counter)
    annotated: list[str] = field(default_factory=list)
    sounds: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)


def read_content(connection: duckdb.DuckDBPyConnection) -> RowContent:
    """The content of `rows`."""
    found: Counter[str] = Counter()
    sounds: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    for bits, sound, mode, count in connection.execute(
        "SELECT _left_out, _sound, _mode, count(*) FROM rows WHERE _outcome IS NULL GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        for name in names(bits, None):
            found[name] += count
        if sound is not None:
            sounds[sound] += count
        if mode is not None:
            modes[mode] += count
    extra = connection.execute("""
        SELECT name, count(*) FROM (SELECT unnest(_extra_left_out) AS name FROM rows WHERE _outcome IS NULL)
        GROUP BY name ORDER BY count(*) DESC, name""").fetchall()
    for name, count in extra[:_NAMES]:
        found.update(dict.fromkeys(names(0, [name]), count))
    if extra[_NAMES:]:
        found[f"{len(extra) - _NAMES:,} more"] = sum(count for _, count in extra[_NAMES:])
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    keys = connection.execute("SELECT DISTINCT key FROM annotations WHERE producer LIKE 'user:%'").fetchall()
    annotated = sorted(found.keys() & {str(key) for (key,) in keys})
    return RowContent(
        Counter(dict(ordered)), annotated, Counter(dict(sorted(sounds.items()))), Counter(dict(sorted(modes.items())))
    )
