"""The operations that a card can apply to a value before it is stored in a field.

Each takes the value and the argument from the card. Unless noted otherwise, an operation works on one value, is applied
to every item of a list, and leaves null unchanged.

    number            true: text to number, a decimal comma is accepted
    time              true: `00:16:21,940`, `1:02.5` or `12` to seconds
    samples           16000: a count of samples to seconds
    plus              10: adds to a number; a column adds its number: {column: start, plus: duration} is an end
    names             [a, b, ...] or the name of a table of names: an index or key to its class name
    map               {validate: val}: values not in the map are unchanged
    ranges            {train: [0, 6512]}: a number to the name of its range, ends included
    drop              ["N/A", "None"]: these become null
    keep              [dev, test]: all others become null
    literal           true: a Python literal such as a list, parsed without executing it
    json              true: JSON text to its value
    split             ";": text to a list, stripped, without empty items            (text only)
    join              " ": a list to text                                           (list)
    item              0: one item of a list; a key of an object                     (list)
    slice             [0, 11]: characters
    tag               RESPONSE: the text between <RESPONSE> and </RESPONSE>
    strip, lower, upper, stem, base, straight_quotes     true
    unspaced          true: no spaces between Chinese or Japanese characters, one between other words
    remove            ["<sound>"]: these phrases are taken out of the text, which is stripped
    unlettered        true: `A. a cat` to `a cat`
    letter            true: the index of a choice to its letter, 0 is A
    question_part     true: a prompt that lists its choices to the question alone, see choices.py
    choices_part      true: such a prompt to the list of its choices; null if it lists none

`choice_of`, `named_choice`, `letter_of`, `filled` and a `plus` with a column take a further value of the row and are in
field_map.py.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

from ....errors import UsageError
from ....shards.json_objects import RepeatedKeyError
from ....shards.json_objects import parse as parse_json
from ....shards.text import join_unspaced
from ...candidate import bad_cell
from ..tables.cells import as_number, as_text, clock_seconds
from .choices import letter, parted, unlettered
from .option_types import texts
from .text_template import WORDS

Names = Mapping[str, Mapping[str, str]]
Operation = Callable[[Any, str], Any]
"""A function of a value and the name of its column (for messages) to another value."""

_LITERAL_BYTES = 1024 * 1024
_PLACE = re.compile(r"<[A-Za-z]+>")
_STRAIGHT = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "‚": "'", "„": '"', "—": "-", "–": "-", "…": "..."})


def compile_operation(name: str, argument: Any, names: Names) -> Operation:
    """Return the operation of that name.

    Args:
        names: Tables of class names from the card's files; filled while they are read.

    Raises:
        UsageError: There is no such operation, or its argument is invalid.
    """
    if name in WORDS:
        return _each(lambda value, column: WORDS[name](_text(value, column)))
    if name not in OPERATIONS:
        raise UsageError(f"There is no column operation `{name}`. Operations: {', '.join([*OPERATIONS, *WORDS])}.")
    return OPERATIONS[name](argument, names)


def _each(work: Operation) -> Operation:
    def apply(value: Any, column: str) -> Any:
        if value is None or value == "":
            return None
        if isinstance(value, list):
            return [work(item, column) for item in value if item is not None]
        return work(value, column)

    return apply


def _text(value: Any, column: str) -> str:
    text = as_text(value)
    if text is None:
        raise bad_cell(column, value, "text")
    return text


def _number(argument: Any, names: Names) -> Operation:
    return _each(lambda value, column: as_number(column, value))


def _time(argument: Any, names: Names) -> Operation:
    return _each(seconds)


def seconds(value: Any, column: str) -> float | None:
    """Parse `h:m:s`, `m:s` or seconds, with a decimal point or comma."""
    if not isinstance(value, str):
        return as_number(column, value)
    found = clock_seconds(value)
    if found is None:
        raise bad_cell(column, value, "a time such as 00:16:21,940")
    return found


def _samples(argument: Any, names: Names) -> Operation:
    rate = _argument_number("samples", argument)

    def divide(value: Any, column: str) -> float | None:
        number = as_number(column, value)
        return None if number is None else number / rate

    return _each(divide)


def _plus(argument: Any, names: Names) -> Operation:
    addend = _argument_number("plus", argument)

    def add(value: Any, column: str) -> float | None:
        number = as_number(column, value)
        return None if number is None else number + addend

    return _each(add)


def added(value: Any, addend: Any, column: str) -> float | None:
    """A number and that of another column; a null addend of a number is an error, since no sum is right without it."""
    if value is None or value == "":
        return None
    number, more = as_number(column, value), None if addend is None else as_number(column, addend)
    if number is None or more is None:
        raise bad_cell(column, addend, "a number to add to it")
    return number + more


def filled(value: Any, fillings: Any, column: str) -> str | None:
    """A template such as `Is the <Object> louder than the <Object>?` with these values in the places of its <...>.

    Raises:
        RowError: There are not as many values as places.
    """
    if value is None or value == "":
        return None
    items = fillings if isinstance(fillings, list) else [] if fillings is None else [fillings]
    words = [as_text(item) or "" for item in items]
    pieces = _PLACE.split(_text(value, column))
    if len(pieces) != len(words) + 1:
        raise bad_cell(column, value, f"{len(words)} places <...>, one for each of {words}")
    return "".join(piece + word for piece, word in zip(pieces, [*words, ""], strict=True))


def _argument_number(name: str, argument: Any) -> float:
    if isinstance(argument, bool) or not isinstance(argument, int | float) or (name == "samples" and argument <= 0):
        raise UsageError(f"the operation `{name}` takes a number, not {argument!r}.")
    return float(argument)


def _names(argument: Any, names: Names) -> Operation:
    if isinstance(argument, list):
        listed = {str(index): str(name) for index, name in enumerate(argument)}
        return _each(lambda value, column: _looked_up(value, column, listed, f"an index below {len(argument)}"))
    if isinstance(argument, str):
        return _each(lambda value, column: _looked_up(value, column, names.get(argument, {}), f"a key of {argument}"))
    raise UsageError(f"the operation `names` takes a list of names or the name of a table, not {argument!r}.")


def _looked_up(value: Any, column: str, names: Mapping[str, str], expected: str) -> str:
    key = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    if key not in names:
        raise bad_cell(column, value, expected)
    return names[key]


def _map(argument: Any, names: Names) -> Operation:
    if not isinstance(argument, Mapping):
        raise UsageError(f"the operation `map` takes an object, not {argument!r}.")
    mapped = {_key(key): value for key, value in argument.items()}
    return _each(lambda value, column: mapped.get(_key(value), value))


def _ranges(argument: Any, names: Names) -> Operation:
    if not isinstance(argument, Mapping) or not all(_is_range(ends) for ends in argument.values()):
        raise UsageError(f"the operation `ranges` takes {{name: [first, last]}}, not {argument!r}.")

    def place(value: Any, column: str) -> str:
        number = as_number(column, value)
        for name, (first, last) in argument.items():
            if number is not None and first <= number <= last:
                return str(name)
        raise bad_cell(column, value, f"a number in one of the ranges {', '.join(map(str, argument))}")

    return _each(place)


def _is_range(ends: Any) -> bool:
    return isinstance(ends, list) and len(ends) == 2 and all(isinstance(end, int) for end in ends)


def _key(value: Any) -> str:
    return as_text(value) or ""


def _drop(argument: Any, names: Names) -> Operation:
    dropped = {_key(item) for item in (argument if isinstance(argument, list) else [argument])}

    def apply(value: Any, column: str) -> Any:
        if isinstance(value, list):
            return [item for item in value if item is not None and _key(item) not in dropped]
        return None if _key(value) in dropped else value

    return apply


def _keep(argument: Any, names: Names) -> Operation:
    kept = {_key(item) for item in (argument if isinstance(argument, list) else [argument])}

    def apply(value: Any, column: str) -> Any:
        if isinstance(value, list):
            return [item for item in value if _key(item) in kept]
        return value if _key(value) in kept else None

    return apply


def _literal(argument: Any, names: Names) -> Operation:
    return _each(literal)


def literal(value: Any, column: str) -> Any:
    """Parse a Python literal without executing anything."""
    if not isinstance(value, str):
        return value
    if len(value) > _LITERAL_BYTES:
        raise bad_cell(column, value, "a Python literal of at most 1 MB")
    try:
        return ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        raise bad_cell(column, value, "a Python literal, such as a list") from None


def _json(argument: Any, names: Names) -> Operation:
    def parse(value: Any, column: str) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return parse_json(value)
        except RepeatedKeyError as error:
            raise bad_cell(column, value, f"JSON with each key once ({error})") from None
        except (ValueError, RecursionError):
            raise bad_cell(column, value, "JSON") from None

    return _each(parse)


def _split(argument: Any, names: Names) -> Operation:
    if not isinstance(argument, str) or not argument:
        raise UsageError(f"the operation `split` takes a separator, not {argument!r}.")

    def apply(value: Any, column: str) -> Any:
        if value is None or value == "" or isinstance(value, list):
            return value or None
        return [item for part in _text(value, column).split(argument) if (item := part.strip())]

    return apply


def _join(argument: Any, names: Names) -> Operation:
    if not isinstance(argument, str):
        raise UsageError(f"the operation `join` takes the text between the items, not {argument!r}.")

    def apply(value: Any, column: str) -> Any:
        if not isinstance(value, list):
            return value
        return str(argument).join(text for item in value if (text := as_text(item)) is not None)

    return apply


def _item(argument: Any, names: Names) -> Operation:
    if isinstance(argument, bool) or not isinstance(argument, int | str):
        raise UsageError(f"the operation `item` takes the number of an item or a key, not {argument!r}.")

    def apply(value: Any, column: str) -> Any:
        if value is None:
            return None
        try:
            return value[argument]
        except (IndexError, KeyError):
            return None
        except TypeError:
            raise bad_cell(column, value, f"a list or object with an item {argument!r}") from None

    return apply


def _slice(argument: Any, names: Names) -> Operation:
    ends = argument if isinstance(argument, list) else []
    if len(ends) != 2 or not all(end is None or (isinstance(end, int) and not isinstance(end, bool)) for end in ends):
        raise UsageError(f"the operation `slice` takes [from, to], not {argument!r}.")
    return _each(lambda value, column: _text(value, column)[argument[0] : argument[1]])


def _tag(argument: Any, names: Names) -> Operation:
    if not isinstance(argument, str) or not argument:
        raise UsageError(f"the operation `tag` takes the name of a tag, not {argument!r}.")
    between = re.compile(rf"<{re.escape(argument)}>(.*?)</{re.escape(argument)}>", re.DOTALL)

    def apply(value: Any, column: str) -> Any:
        found = between.search(_text(value, column))
        return (found[1].strip() or None) if found else None

    return _each(apply)


def _straight_quotes(argument: Any, names: Names) -> Operation:
    return _each(lambda value, column: _text(value, column).translate(_STRAIGHT))


def _remove(argument: Any, names: Names) -> Operation:
    phrases = texts(argument, "the operation `remove`")

    def apply(value: Any, column: str) -> str | None:
        text = _text(value, column)
        for phrase in phrases:
            text = text.replace(phrase, "")
        return text.strip() or None

    return _each(apply)


def _unlettered(argument: Any, names: Names) -> Operation:
    return _each(lambda value, column: unlettered(_text(value, column)))


def _question_part(argument: Any, names: Names) -> Operation:
    return _each(lambda value, column: parted(_text(value, column))[0])


def _choices_part(argument: Any, names: Names) -> Operation:
    return lambda value, column: None if value is None else parted(_text(value, column))[1] or None


def _unspaced(argument: Any, names: Names) -> Operation:
    return _each(lambda value, column: join_unspaced(" ".join(_text(value, column).split())))


def _letter(argument: Any, names: Names) -> Operation:
    return _each(lambda value, column: letter(value, column))


OPERATIONS: dict[str, Callable[[Any, Names], Operation]] = {
    "number": _number,
    "time": _time,
    "samples": _samples,
    "plus": _plus,
    "names": _names,
    "map": _map,
    "ranges": _ranges,
    "drop": _drop,
    "keep": _keep,
    "literal": _literal,
    "json": _json,
    "split": _split,
    "join": _join,
    "item": _item,
    "slice": _slice,
    "tag": _tag,
    "straight_quotes": _straight_quotes,
    "remove": _remove,
    "unlettered": _unlettered,
    "question_part": _question_part,
    "choices_part": _choices_part,
    "unspaced": _unspaced,
    "letter": _letter,
}
