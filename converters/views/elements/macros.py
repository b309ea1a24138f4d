"""The macros of `elements/macros.sql` for one request: those that its statements call, with its options decided."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from ..sql.fold import OPEN, fold, is_written_list, value_of
from ..sql.syntax import Tree, column_names, expressions, select_of, written

SOURCE = resources.files(__package__).joinpath("macros.sql").read_text(encoding="utf-8")
_CREATE = "CREATE OR REPLACE MACRO "
_WORD = re.compile(r"\w+")
_SHORTCUT = "where_any"
"""The macro whose last argument stands for the one before it if the first is null."""
_GIVEN = ("CONSTANT", "CAST", "COLUMN_REF")


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro: its parameters, and the SQL of its body."""

    parameters: tuple[str, ...]
    body: str


def read_macros(sql: str) -> dict[str, Macro]:
    """The macros of a file in which each begins a line with `CREATE OR REPLACE MACRO name(parameters) AS`."""
    lines = "\n".join(line for line in sql.splitlines() if not line.startswith("--"))
    found = {}
    for statement in lines.split(_CREATE)[1:]:
        head, _, body = statement.partition(" AS")
        name, _, parameters = head.rstrip(")").partition("(")
        listed = tuple(each.strip() for each in parameters.split(",") if each.strip())
        found[name] = Macro(listed, body.strip().removesuffix(";"))
    return found


MACROS = read_macros(SOURCE)


@lru_cache(maxsize=1)
def _trees() -> Mapping[str, Tree]:
    """The parsed bodies of `MACROS`; they are never changed."""
    items = select_of("SELECT " + ", ".join(f"({macro.body})" for macro in MACROS.values()))["select_list"]
    return dict(zip(MACROS, items, strict=True))


class Macros:
    """The macros of a request.

    Args:
        options: Name -> SQL of the macros without parameters that hold the request's options.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = options
        items = select_of("SELECT " + ", ".join(f"({body})" for body in options.values()))["select_list"]
        self._trees = {**_trees(), **dict(zip(options, items, strict=True))}
        self._parameters = {name: macro.parameters for name, macro in MACROS.items()} | dict.fromkeys(options, ())
        self._folded: dict[str, Tree] = {}
        self._weights: dict[str, int] = {}
        self._callees: dict[str, list[str]] = {}
        self._written: dict[str, str] = {}

    def fold(self, tree: Any, columns: Mapping[str, Tree] | None = None) -> Any:
        """A tree in which everything is decided that the options decide, and columns that are constants."""
        return fold(tree, self._called, columns)

    def statements(self, sql: Iterable[str], *, temporary: bool = False) -> list[str]:
        """The statements that create the macros which these texts call, and those which they call.

        A word counts as a call wherever it stands.
        """
        words = {word.lower() for text in sql for word in _WORD.findall(text)}
        return self._created(sorted(words & self._trees.keys()), temporary=temporary)

    def all_statements(self, *, temporary: bool = False) -> list[str]:
        """The statements that create all macros."""
        return self._created(list(self._trees), temporary=temporary)

    def _created(self, names: list[str], *, temporary: bool) -> list[str]:
        ordered = list(dict.fromkeys(each for name in names for each in self._with_callees(name)))
        if new := [name for name in ordered if name not in self._written]:
            blank = select_of("SELECT 1")
            texts = written([{**blank, "select_list": [self._body(name)]} for name in new])
            self._written |= {name: text.removeprefix("SELECT ") for name, text in zip(new, texts, strict=True)}
        kind = "TEMP MACRO" if temporary else "MACRO"
        return [
            f"CREATE OR REPLACE {kind} {name}({', '.join(self._parameters[name])}) AS {self._written[name]};"
            for name in ordered
        ]

    def _with_callees(self, name: str) -> list[str]:
        """The macro after those that it calls."""
        if name not in self._callees:
            called = sorted(_functions(self._body(name)) & self._trees.keys())
            self._callees[name] = [*dict.fromkeys(each for inner in called for each in self._with_callees(inner)), name]
        return self._callees[name]

    def _body(self, name: str) -> Tree:
        """The body of a macro with everything decided; macros that it calls are decided first."""
        if name not in self._folded:
            self._folded[name] = self.fold(self._trees[name])
        return self._folded[name]

    def _called(self, call: Tree) -> Tree | None:
        """What a call of a macro is, if constants decide any of it."""
        name = str(call["function_name"]).lower()
        if name not in self._trees:
            return None
        body = self._body(name)
        if value_of(body) is not OPEN:
            return body
        arguments = [each["expression"] for each in call["arguments"]]
        if name == _SHORTCUT:
            none: Tree = arguments[2]
            return none if value_of(arguments[0]) is None else None
        given = dict(zip(self._parameters[name], arguments, strict=True))
        if any(map(is_written_list, arguments)) and (made := self._of_lists(body, given)) is not None:
            return made
        constants = {each: value for each, value in given.items() if value_of(value) is not OPEN}
        decided: Tree = fold(body, self._called, constants) if constants else body
        if value_of(decided) is not OPEN:
            return decided
        if decided["class"] == "COLUMN_REF" and len(decided["column_names"]) == 1:
            argument: Tree = given[str(decided["column_names"][0])]
            return argument
        if name not in self._weights:
            self._weights[name] = _weight(body)
        if _weight(decided) == self._weights[name] or _lambda_names(decided) & column_names(arguments):
            return None
        result: Tree = fold(decided, self._called, given)
        return result

    def _of_lists(self, body: Tree, given: Mapping[str, Tree]) -> Tree | None:
        """What a macro makes of lists that are written out, if it then takes items one by one, or is such a list."""
        if _lambda_names(body) & column_names(list(given.values())):
            return None
        made: Tree = fold(body, self._called, given)
        is_less = len(_lambdas(made)) < len(_lambdas(body))
        return made if is_less or is_written_list(made) or value_of(made) is not OPEN else None


def _weight(tree: Any) -> int:
    """How many expressions a tree has that are computed."""
    return sum(each["class"] not in _GIVEN for each in expressions(tree))


def _lambda_names(tree: Any) -> set[str]:
    """The names of the parameters of lambdas, which an argument put between them may not have."""
    return {name for each in _lambdas(tree) for name in column_names(each["lhs"])}


def _lambdas(tree: Any) -> list[Tree]:
    return [each for each in expressions(tree) if each["class"] == "LAMBDA"]


def _functions(tree: Any) -> set[str]:
    return {str(each["function_name"]).lower() for each in expressions(tree) if each["class"] == "FUNCTION"}
