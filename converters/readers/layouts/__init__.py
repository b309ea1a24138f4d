"""How one record of a nested JSON becomes rows: `rows: {each: segments}` on a table of a card.

    each         a list of objects in the record; what the record itself says stands in every row
    parallel     lists of equal length side by side, `{start: [...], end: [...], text: [...]}`
    siblings     objects under keys of one name and a number, `task0`, `task1`, ...
    tagged       a list of objects, each once for every tag it has: `{each: segments, tags: subsets, as: subset}`
    languages    captions in several languages, `{en: enCap, zh: chCap}`: a row a language

Each is a file of this package with `compile_layout(argument)`, which gives a function from a record to its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ....errors import UsageError
from . import each, languages, parallel, siblings, tagged

Expand = Callable[[dict[str, Any]], Iterator[dict[str, Any]]]

LAYOUTS: dict[str, Callable[[Any], Expand]] = {
    "each": each.compile_layout,
    "parallel": parallel.compile_layout,
    "siblings": siblings.compile_layout,
    "languages": languages.compile_layout,
    "tagged": tagged.compile_layout,
}


def get_layout(spec: Any) -> Expand:
    """The layout that a card's `rows` names.

    Raises:
        UsageError: There is no such layout.
    """
    if spec is None:
        return _as_it_is
    if isinstance(spec, Mapping) and len(spec) == 1 and (name := next(iter(spec))) in LAYOUTS:
        return LAYOUTS[name](spec[name])
    raise UsageError(f"tables: `rows` is one of {', '.join(LAYOUTS)} with what it takes; got {spec!r}.")


def _as_it_is(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield record
