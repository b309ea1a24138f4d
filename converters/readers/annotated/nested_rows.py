"""Expand one record of nested JSON to rows: `rows: {each: segments}` on a table of a card.

    each         a list of objects in the record; the other columns of the record are repeated in every row
    parallel     parallel lists of equal length, `{start: [...], end: [...], text: [...]}`
    siblings     objects under numbered keys, `task0`, `task1`, ...
    tagged       a list of objects, each once per tag: `{each: segments, tags: subsets, as: subset}`
    members      an object by key, `{utterance: text, ...}`: {each: text, key: utterance, value: caption}
    languages    captions in several languages, `{en: enCap, zh: chCap}`: one row per language
    turns        a conversation, `[{from: human, value: ...}, {from: gpt, value: ...}, ...]`: one row per answer
    clips        an object of parallel lists, `{name: [...], label: [...]}`, with a file for each position

Each is a function from the card's argument to a function from a record to its rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ....errors import UsageError
from ...candidate import bad_cell
from ..training.turns import read_dialogue

Record = dict[str, Any]
Expand = Callable[[Record], Iterator[Record]]


def get_layout(spec: Any) -> Expand:
    """Return the layout that a card's `rows` names.

    Raises:
        UsageError: There is no such layout.
    """
    if spec is None:
        return lambda record: iter([record])
    if isinstance(spec, Mapping) and len(spec) == 1 and (name := next(iter(spec))) in LAYOUTS:
        return LAYOUTS[name](spec[name])
    raise UsageError(f"tables: `rows` is one of {', '.join(LAYOUTS)} with its argument; got {spec!r}.")


def columns_of(spec: Any) -> list[str]:
    """The columns that a layout takes apart, of one that names them; none for a card without `rows`.

    Raises:
        UsageError: The layout does not name its columns.
    """
    if spec is None:
        return []
    argument = next(iter(spec.values()))
    if "siblings" in spec or not isinstance(argument, str | list):
        raise UsageError(f"rows: expected each, turns or parallel, got {next(iter(spec))!r}.")
    return [str(name) for name in (argument if isinstance(argument, list) else [argument])]


def _each(argument: Any) -> Expand:
    """A list of objects inside a record, such as GigaSpeech's `audios[].segments[]` and YouCook2's `annotations[]`.

    Every object is a row, with the columns of the enclosing record (the object's own take precedence) and its position
    in the list as `index`.
    """
    if not isinstance(argument, str):
        raise UsageError(f"rows: `each` takes the name of the list, not {argument!r}.")

    def expand(record: Record) -> Iterator[Record]:
        items = record.get(argument) or []
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise bad_cell(argument, items, "a list of objects")
        around = {name: value for name, value in record.items() if name != argument}
        for index, item in enumerate(items):
            yield {"index": index, **around, **item}

    return expand


def _parallel(argument: Any) -> Expand:
    """Lists of equal length, such as HowTo100M's captions: the values at one position are a row, with it as `index`."""
    if not isinstance(argument, list) or not argument:
        raise UsageError(f"rows: `parallel` takes the names of the lists, not {argument!r}.")
    names = [str(name) for name in argument]

    def expand(record: Record) -> Iterator[Record]:
        lists = [record.get(name) or [] for name in names]
        if not all(isinstance(values, list) for values in lists) or len({len(values) for values in lists}) != 1:
            raise bad_cell(" and ".join(names), [len(values) for values in lists], "lists of equal length")
        around = {name: value for name, value in record.items() if name not in names}
        for index, values in enumerate(zip(*lists, strict=True)):
            yield {"index": index, **around, **dict(zip(names, values, strict=True))}

    return expand


def _siblings(argument: Any) -> Expand:
    """Objects under numbered keys, such as WorldSense's `task0`, `task1`, ... next to the columns of the video.

    Every object is a row, with the other columns of the record and its key as `key`.
    """
    if not isinstance(argument, str) or not argument:
        raise UsageError(f"rows: `siblings` takes the name before the number, not {argument!r}.")
    pattern = re.compile(rf"{re.escape(argument)}\d+")

    def expand(record: Record) -> Iterator[Record]:
        around = {name: value for name, value in record.items() if not pattern.fullmatch(name)}
        for name, value in record.items():
            if name in around:
                continue
            if not isinstance(value, dict):
                raise bad_cell(name, value, "an object")
            yield {**around, **value, "key": name}

    return expand


def _members(argument: Any) -> Expand:
    """An object inside a record, such as the `text` of YODAS, `{"<utterance>": "<caption>", ...}`: one row per member.

    A row has the member's key and value in the columns that are named, its position as `index`, and the other columns
    of the record.
    """
    if not isinstance(argument, Mapping) or set(argument) != {"each", "key", "value"}:
        raise UsageError(f"rows: `members` takes each, key and value, not {argument!r}.")
    column, key, value = (str(argument[name]) for name in ("each", "key", "value"))

    def expand(record: Record) -> Iterator[Record]:
        members = record.get(column) or {}
        if not isinstance(members, dict):
            raise bad_cell(column, members, "an object")
        around = {name: cell for name, cell in record.items() if name != column}
        for index, (name, cell) in enumerate(members.items()):
            yield {"index": index, **around, key: name, value: cell}

    return expand


def _tagged(argument: Any) -> Expand:
    """A list of objects inside a record, each repeated for every tag in its list: nested subsets.

    GigaSpeech and WenetSpeech write `{"segments": [{"sid": ..., "subsets": ["{S}", "{XS}"]}]}`; the card has
    `rows: {tagged: {each: segments, tags: subsets, as: subset}}`. Every object yields one row per tag, with the tag in
    lower case and without braces in the column `subset`; an object without tags yields no row. The columns of the
    enclosing record and `index` are as for `each`.
    """
    if not isinstance(argument, Mapping) or set(argument) != {"each", "tags", "as"}:
        raise UsageError(f"rows: `tagged` takes each, tags and as, not {argument!r}.")
    objects = _each(argument["each"])
    tags, column = str(argument["tags"]), str(argument["as"])

    def expand(record: Record) -> Iterator[Record]:
        for row in objects(record):
            found = row.get(tags) or []
            if not isinstance(found, list):
                raise bad_cell(tags, found, "a list of tags")
            for tag in dict.fromkeys(str(item).strip("{} ").lower() for item in found):
                yield {**row, column: tag}

    return expand


def _languages(argument: Any) -> Expand:
    """Captions in several languages in one record, such as VATEX's `enCap` and `chCap`: one row per language.

    A row has the columns `language` and `captions` and the other columns of the record; a language without captions
    yields no row.
    """
    if not isinstance(argument, Mapping) or not argument:
        raise UsageError(f"rows: `languages` takes an object {{language: column}}, not {argument!r}.")
    columns = {str(language): str(column) for language, column in argument.items()}

    def expand(record: Record) -> Iterator[Record]:
        around = {name: value for name, value in record.items() if name not in columns.values()}
        for language, column in columns.items():
            if record.get(column):
                yield {**around, "language": language, "captions": record[column]}

    return expand


def _turns(argument: Any) -> Expand:
    """A conversation of questions about the same media, such as LLaVA-Video's `conversations`: one row per answer.

    A row has the question as `asked`, the answer as `answered`, its position as `index`, a system turn as `system`, and
    the other columns of the record. The roles may have any name that the reader `conversation` knows.
    """
    if not isinstance(argument, str) or not argument:
        raise UsageError(f"rows: `turns` takes the name of the conversation, not {argument!r}.")

    def expand(record: Record) -> Iterator[Record]:
        said = read_dialogue(argument, record.get(argument)).messages
        system = {"system": said[0]["content"]} if said[0]["role"] == "system" else {}
        said = said[len(system) :]
        if not said or [turn["role"] for turn in said] != ["user", "assistant"] * (len(said) // 2):
            roles = ", ".join(turn["role"] for turn in said)
            raise bad_cell(argument, roles, "turns of user and assistant, one after the other")
        around = {name: value for name, value in record.items() if name != argument}
        for index, (asked, answered) in enumerate(zip(said[::2], said[1::2], strict=True)):
            yield {"index": index, **around, **system, "asked": asked["content"], "answered": answered["content"]}

    return expand


def _clips(argument: Any) -> Expand:
    """An object of lists of equal length inside a record, such as the `training_data` of People's Speech.

    The values at one position are a row, with the other columns of the record and the position as `index`. Each row has
    its own file, so a record is expanded when it is read, not when its file has arrived.
    """
    if not isinstance(argument, str):
        raise UsageError(f"rows: `clips` takes the name of the object, not {argument!r}.")

    def expand(record: Record) -> Iterator[Record]:
        lists = record.get(argument)
        if not isinstance(lists, dict) or not lists:
            raise bad_cell(argument, lists, "an object of lists")
        around = {name: value for name, value in record.items() if name != argument}
        for row in _parallel(list(lists))(lists):
            yield {**around, **row}

    return expand


OF_FILES = frozenset({"clips"})
"""Layouts whose rows have files of their own."""

LAYOUTS: dict[str, Callable[[Any], Expand]] = {
    "each": _each,
    "clips": _clips,
    "parallel": _parallel,
    "siblings": _siblings,
    "members": _members,
    "tagged": _tagged,
    "languages": _languages,
    "turns": _turns,
}
