"""The shape of the package: imports, what is installed, how files are named and listed, how long they are."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from support.places import ROOT
from support.source import imports, module_of, modules, package_files, python_files, relative_imports, tree

FLOORS = {
    "errors": 0, "version": 0, "options": 0, "shards": 1, "validators": 2, "converters": 3,
    "trainers": 3, "catalog": 4, "api": 5, "exports": 5, "facts": 5, "store": 5, "cli": 5, "commands": 5, "": 5,
}  # fmt: skip
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = PROJECT["tool"]["setuptools"]["packages"]

LONGEST = 400
ENTRIES = 14
"""Files and folders that a reader can take in at once; `__init__.py` is not counted."""

CROWDED = {
    "shards": "the floor under everything: one file a table, a medium and a tool of the store",
    "benchmarks": "one file a benchmark",
    "validators/formats": "one file or folder a consumer's format",
    "trainers": "one folder for each thing that is done with models",
    "converters": "one folder for each thing that is done with samples",
    "tests/support": "one file a kind of thing that tests make",
}

GENERATED = {"options/arguments.py"}
"""Files that are written from others, and are read by checkers alone."""

NO_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "handler", "core", "base_utils"}
ADJECTIVES = {
    "wanted", "given", "known", "whole", "growing", "joined", "waiting", "once", "raw", "plain", "local", "partial",
    "again", "new", "old", "other", "various", "general", "unpacked", "broken", "chosen", "written", "taken", "made",
    "kept", "held", "found", "sent", "different", "possible", "simple", "complex", "internal",
}  # fmt: skip
NOUNS = {
    "string": "ends like a participle and is none",
    "streaming": "the technique: a file that is read while it is downloaded",
    "embedding": "a vector",
    "encoding": "a table of characters",
    "mapping": "a table from keys to values",
    "ranking": "LLaMA-Factory's name for preference pairs",
    "serving": "what a server does with a model, as the field says it",
    "training": "what the formats of that folder are for",
    "embedded": "media that lie inside a table's rows, as the field says it",
    "annotated": "a corpus with annotations, the reader's key on cards",
    "stored": "what the store holds already, beside what a pull asks for",
    "seed": "the number that a draw begins with",
    "speed": "a measurement",
    "unified": "the name of our own format",
}
"""Nouns, or terms of the field, that the rule of -ed and -ing would take for participles."""


def part_of(module: tuple[str, ...]) -> str:
    """The part of the package that a module lies in: a top folder, or a file of the root."""
    return module[0] if module else ""


def test_a_file_imports_only_from_below_or_from_its_own_part() -> None:
    problems = []
    for path in package_files():
        own = part_of(module_of(path))
        for node in imports(path):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            if "triptych" in {name.partition(".")[0] for name in names}:
                problems.append(f"{path}: import relatively")
        for line, module in relative_imports(path):
            other = part_of(module)
            if other not in FLOORS:
                problems.append(f"{path}:{line} imports {other}, which is on no floor")
                continue
            lower = FLOORS[other] < FLOORS[own] or FLOORS[own] == FLOORS[other] in (FLOORS["cli"], FLOORS["errors"])
            if other != own and not lower:
                problems.append(f"{path}:{line} (floor {FLOORS[own]}) imports {other} (floor {FLOORS[other]})")
    assert not problems, "\n".join(problems)


def test_the_walk_sees_imports() -> None:
    assert {"errors", "shards", "converters"} <= {
        part_of(module) for _, module in relative_imports(Path("converters/export/export.py"))
    }
    assert {part_of(module) for _, module in relative_imports(Path("shards/store/store.py"))} == {"errors", "shards"}


def test_no_modules_import_one_another_in_a_circle() -> None:
    graph: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for path in package_files():
        graph[module_of(path)] = {module for _, module in relative_imports(path)} & modules() - {module_of(path)}
    circles = ["{" + ", ".join(".".join(one) or "triptych" for one in sorted(ring)) + "}" for ring in rings(graph)]
    assert not circles, "imports run in a circle: " + "; ".join(circles)


def rings(graph: dict[tuple[str, ...], set[tuple[str, ...]]]) -> list[set[tuple[str, ...]]]:
    """Sets of modules that reach one another (Tarjan's strongly connected components of two and more)."""
    order: dict[tuple[str, ...], int] = {}
    low: dict[tuple[str, ...], int] = {}
    stack: list[tuple[str, ...]] = []
    found: list[set[tuple[str, ...]]] = []

    def visit(node: tuple[str, ...]) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            ring = set(stack[stack.index(node) :])
            del stack[stack.index(node) :]
            if len(ring) > 1:
                found.append(ring)

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return found


def test_a_circle_is_found() -> None:
    a, b, c, d = ("a",), ("b",), ("c",), ("d",)
    assert rings({a: {b}, b: {c}, c: {a, d}, d: set()}) == [{a, b, c}]
    assert rings({a: {b}, b: {d}, c: {a}, d: set()}) == []


def test_every_package_of_the_tree_is_installed() -> None:
    folders = {path.parent for path in package_files()}
    assert {".".join(("triptych", *folder.parts)) for folder in folders} == set(PACKAGES)
    assert sorted(PACKAGES) == PACKAGES and len(PACKAGES) == len(set(PACKAGES))
    for folder in folders:
        assert (ROOT / folder / "__init__.py").is_file(), f"{folder} has no __init__.py"


def test_a_file_is_short_says_what_it_is_and_is_named_for_it() -> None:
    problems = []
    for path in package_files():
        if (too_long := length_problem(path)) and path.as_posix() not in GENERATED:
            problems.append(too_long)
        if not ast.get_docstring(tree(path)):
            problems.append(f"{path} says nothing of itself")
        for name in (path.stem, path.parent.name):
            if name in NO_NAMES:
                problems.append(f"{path}: {name} says nothing")
            if is_participle_or_adjective(name):
                problems.append(f"{path}: name it by a noun or a verb of the command line, not {name}")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("folder", ["tests", "benchmarks"])
def test_a_file_beside_the_package_is_short_too(folder: str) -> None:
    """A reader finds the test of a behaviour by the name of a file, and reads the file."""
    assert not [problem for path in python_files(ROOT / folder) if (problem := length_problem(path))]


def length_problem(path: Path) -> str | None:
    lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
    return f"{path}: {lines} lines; under {LONGEST} is the rule: it holds two subjects" if lines >= LONGEST else None


def is_participle_or_adjective(name: str) -> bool:
    """Whether a name is of one word that says how something is, and not what."""
    if name in NOUNS:
        return False
    return name in ADJECTIVES or re.fullmatch(r"[a-z]+(ed|ing)", name) is not None


def test_participles_and_adjectives_are_told_from_nouns() -> None:
    for name in ("waiting", "joined", "known", "whole", "raw", "reading"):
        assert is_participle_or_adjective(name), name
    for name in ("string", "store", "stored_ids", "query", "card", "import_data", "index"):
        assert not is_participle_or_adjective(name), name


LISTED = sorted({path.parent for path in package_files()} | {Path("benchmarks"), Path("tests/support")})


def test_a_folder_lists_what_it_holds_and_is_not_crowded() -> None:
    problems = [problem for folder in LISTED for problem in problems_of(folder)]
    assert not problems, "\n".join(problems)


def problems_of(folder: Path) -> list[str]:
    files = {path.name for path in (ROOT / folder).glob("*.py")} - {"__init__.py", "__main__.py"}
    inside = python_files(ROOT / folder)
    folders = {path.relative_to(folder).parts[0] for path in inside if len(path.relative_to(folder).parts) > 1}
    if folder == Path():
        folders &= {package.split(".")[1] for package in PACKAGES if "." in package}
    if not (ROOT / folder / "__init__.py").is_file():
        return [f"{folder} has no __init__.py"]
    text = ast.get_docstring(tree(folder / "__init__.py")) or ""
    names = sorted(files) + [f"{name}/" for name in sorted(folders)]
    missing = [name for name in names if not re.search(rf"(?<![\w/.]){re.escape(name)}(?!\w)", text)]
    problems = [f"{folder}/__init__.py does not list {', '.join(missing)}"] if missing else []
    gone = set(re.findall(r"^ *([a-z_]\w*\.py)\b", text, re.MULTILINE)) - files
    problems += [f"{folder}/__init__.py lists {', '.join(sorted(gone))}, which are not there"] if gone else []
    if len(names) > ENTRIES and str(folder) not in CROWDED:
        problems.append(f"{folder} holds {len(names)} files and folders, more than {ENTRIES}")
    return problems
