"""The rules of rows with a list of turns, each with its role and its text, and media in columns of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ....shards.store.sql import identifier
from ..findings import Finding, Problem, finding
from ..msswift_rows import KINDS, MODEL_TOKEN, TAG_ANY_CASE
from ..unified import is_file, path_shape, tokens_shape
from .dataset_info import Entry, read_entry
from .problems import PROBLEMS

_URI = re.compile("^[A-Za-z][A-Za-z0-9+.-]*://")
_ANY_TAG = f"(?:{'|'.join(TAG_ANY_CASE.values())}|{MODEL_TOKEN})"


@dataclass(slots=True)
class Turns:
    """What LLaMA-Factory counts of a row.

    Attributes:
        texts: The texts in which tags count.
        system: The system message, in which they do not.
        answers: The two answers of a pair: tags are counted with each of them.
    """

    texts: list[str] = field(default_factory=list)
    system: str | None = None
    answers: list[str] = field(default_factory=list)

    def sides(self) -> list[str]:
        """The texts that must have as many tags as there are media."""
        own = "\n".join(self.texts)
        return [f"{own}\n{answer}" for answer in self.answers] or [own]


class TurnRows:
    """Validates rows of turns; `entry` says how they are read.

    Attributes:
        own_entry: How rows of this format are written.
        problems: The table of problems.
        keys: The keys that a turn so far has.
        present: The columns that a row so far has.
        needed: The columns that are read -> the first row that they are read of.
    """

    own_entry: ClassVar[Entry] = Entry()
    problems: ClassVar[Mapping[str, Problem]] = PROBLEMS

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.files = files
        self.entry = self.own_entry
        self.keys: set[str] = set()
        self.present: set[str] = set()
        self.needed: dict[str, int] = {}

    def begin(self, path: Path) -> Iterator[Finding]:
        """Yield what is wrong with the file's entry in `dataset_info.json`, and read the rows as it says."""
        entry, found = read_entry(path, self.own_entry)
        if all(each.severity == "warning" for each in found):
            self.entry = entry
        yield from found

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        turns = Turns()
        yield from self.read(number, row, turns)
        yield from self.tags(number, row, turns)
        self.present |= row.keys()
        for column in self.entry.read_of(row):
            self.needed.setdefault(column, number)

    def end(self) -> Iterator[Finding]:
        """Yield the keys that no turn has, and the columns that `dataset_info.json` names and no row has.

        What other turns or rows have is null where it is missing.
        """
        for tag in (self.entry.tags["role_tag"], self.entry.tags["content_tag"]):
            if self.keys and tag not in self.keys:
                yield self.problem("turn_keys", 0, detail=tag, value=", ".join(sorted(self.keys)))
        if self.entry is not self.own_entry:
            for column, number in self.needed.items():
                if column not in self.present:
                    yield self.problem("missing_column", number, detail=column, column=column)

    def problem(self, code: str, number: int, **details: Any) -> Finding:
        return finding(self.problems, code, number, **details)

    def read(self, number: int, row: Mapping[str, Any], turns: Turns) -> Iterator[Finding]:
        """Yield what is wrong with the turns of a row, and fill `turns`."""
        column = self.entry.columns.get("messages", "conversations")
        listed = row.get(column)
        if not isinstance(listed, list) or not listed:
            code = "empty_messages" if isinstance(listed, list) else "no_messages"
            yield self.problem(code, number, column=column, value=listed)
            return
        roles: list[str] = []
        in_order = True  # the converter reads no turn after the first whose role is not the next one's
        for place, turn in enumerate(listed):
            role, text = self.turn(turn)
            roles.append(role)
            was_in_order, in_order = in_order, in_order and _is_begun("".join(roles))
            if isinstance(turn, Mapping):
                self.keys |= turn.keys()
            if was_in_order and not isinstance(turn, Mapping):
                yield self.problem("message_keys", number, detail=f"turn {place}", column=column, value=turn)
            elif text is None and role != "x":
                yield self.problem("null_content", number, detail=f"turn {place}", column=column)
            elif text is not None and self.is_call(turn) and not is_function_call(text):
                yield self.problem("function_call", number, detail=f"turn {place}", column=column, value=text)
            if place == 0 and role == "s":
                turns.system = text
            else:
                turns.texts.append(text or "")
        yield from self.system(number, row, turns)
        yield from self._order(number, column, listed, roles)

    def system(self, number: int, row: Mapping[str, Any], turns: Turns) -> Iterator[Finding]:
        """Read the system message from its column, unless a turn was one."""
        system = self.entry.value(row, "system")
        if turns.system is None and isinstance(system, str):
            turns.system = system
        elif turns.system is None and system:
            yield self.problem("system_type", number, column="system", value=system)

    def is_call(self, turn: Mapping[str, Any]) -> bool:
        """Whether a turn is a call of functions."""
        return turn.get(self.entry.tags["role_tag"]) == self.entry.tags.get("function_tag", "")

    def turn(self, turn: Any) -> tuple[str, str | None]:
        """The role of a turn as a letter: s, u for what is said to the model, a for what it says, x; and its text."""
        if not isinstance(turn, Mapping):
            return "x", None
        tags = self.entry.tags
        role, text = turn.get(tags["role_tag"]), turn.get(tags["content_tag"])
        letter = "x"
        if role is not None:
            said = {tags.get("user_tag"): "u", tags.get("observation_tag"): "u", tags.get("assistant_tag"): "a"}
            letter = {**said, tags.get("function_tag"): "a", tags.get("system_tag"): "s"}.get(role, "x")
        return letter, text if isinstance(text, str) else None

    def _order(self, number: int, column: str, listed: list[Any], roles: list[str]) -> Iterator[Finding]:
        shown = " ".join(str(turn.get(self.entry.tags["role_tag"])) if isinstance(turn, Mapping) else "?"
                         for turn in listed)  # fmt: skip
        if "x" in roles:
            yield self.problem("unknown_role", number, column=column, value=shown)
            return
        spoken = "".join(roles[1:] if roles[:1] == ["s"] else roles)
        if not re.fullmatch("(ua)*u?", spoken):
            yield self.problem("alternation", number, column=column, value=shown)
        elif self.entry.ranking and len(spoken) % 2 == 0:
            yield self.problem("even_count", number, column=column, value=shown)
        elif not self.entry.ranking and (len(spoken) % 2 or not spoken):
            yield self.problem("odd_count", number, column=column, value=shown)

    def tags(self, number: int, row: Mapping[str, Any], turns: Turns) -> Iterator[Finding]:
        """Yield what is wrong with tags and media: the texts of a row must have as many tags as it has media."""
        joined = "\n".join([turns.system or "", *turns.texts, *turns.answers])
        if (token := re.search(MODEL_TOKEN, joined)) is not None:
            yield self.problem("model_token", number, value=token[0])
        for kind in KINDS:
            tag, column = f"<{kind[:-1]}>", self.entry.columns.get(kind, kind)
            value = self.entry.value(row, kind)
            media = [] if value is None else value if isinstance(value, list) else [value]
            if any(not isinstance(item, str) for item in media):
                yield self.problem("media_type", number, column=column, value=value)
            for side in turns.sides():
                if side.count(tag) != len(media):
                    detail = f"{side.count(tag)} {tag} for {len(media)} {kind}"
                    yield self.problem("media_count", number, detail=detail, column=column)
                    break
            if turns.system and tag in turns.system:
                yield self.problem("tag_in_system", number, detail=tag, column="system")
            if len(re.findall(TAG_ANY_CASE[kind], joined)) > joined.count(tag):
                yield self.problem("tag_case", number, detail=f"not {tag}")
            for path in (item for item in media if isinstance(item, str)):
                yield from self.path(number, column, path)

    def path(self, number: int, column: str, path: str) -> Iterator[Finding]:
        """Yield what is wrong with a path."""
        if _URI.match(path):
            yield self.problem("unsupported_uri", number, column=column, value=path)
            return
        if not path.startswith("/"):
            yield self.problem("relative_path", number, column=column, value=path)
        if self.files and not is_file(path):
            yield self.problem("missing_file", number, column=column, value=path)


def _is_begun(letters: str) -> bool:
    """Whether a conversation may begin with these turns."""
    return re.fullmatch("s?(ua)*u?", letters) is not None


def is_function_call(text: str) -> bool:
    """Whether a text is a call or a list of calls, as LLaMA-Factory's templates read them; reasoning in front apart."""
    try:
        calls = json.loads(re.sub("(?s)^<think>.*?</think>", "", text))
    except ValueError:
        return False
    listed = calls if isinstance(calls, list) else [calls]
    return all(isinstance(call, dict) and "name" in call and "arguments" in call for call in listed)


def detect_task(rows: object) -> None:
    """Return None: the format has no tasks."""
    return None


def text_shape(text: str) -> str:
    """SQL for what the rules look at in a text: its tags and the tokens of models."""
    return tokens_shape(text, _ANY_TAG)


def turns_shape(column: str) -> str:
    """SQL for what the rules look at in our own turns of `from` and `value`."""
    text = text_shape("m['value']")
    text = f"CASE WHEN m['from'] = 'function_call' THEN m['value'] ELSE {text} END"
    return f"[{{'from': m['from'], 'value': {text}}} FOR m IN {identifier(column)}]"


def media_shape(column: str, type_: str) -> str:
    """SQL for a column of paths."""
    name = identifier(column)
    return f"[{path_shape('p')} FOR p IN {name}]" if type_ == "VARCHAR[]" else path_shape(name)


def is_turns(type_: str) -> bool:
    """Whether a column of this DuckDB type holds turns as our views write them."""
    return type_.replace('"', "").startswith("STRUCT(from VARCHAR, value VARCHAR") and type_.endswith("[]")


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """What the findings of a row depend on; see `shape_sql`."""
    found = {}
    for name, type_ in columns.items():
        if name == "conversations":
            found[name] = turns_shape(name) if is_turns(type_) else name
        elif name in (*KINDS, "audio"):
            found[name] = media_shape(name, type_)
        elif name in ("system", "instruction", "input", "output"):
            found[name] = text_shape(name) if type_ == "VARCHAR" else name
        elif name in ("history", "chosen", "rejected"):
            found[name] = name
    return found


__all__ = ["TurnRows", "Turns", "detect_task", "shape"]
