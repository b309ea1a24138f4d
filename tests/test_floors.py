"""The shape of the package: who may import whom, what is installed, how files are named and how long they are."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.places import ROOT

FLOORS = {
    "errors": 0, "version": 0, "options": 0, "shards": 1, "validators": 2, "converters": 3, "trainers": 3, "catalog": 4,
    "api": 5, "arguments": 5, "cli": 5, "commands": 5, "__init__": 5,
}  # fmt: skip
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = PROJECT["tool"]["setuptools"]["packages"]
OUTSIDE = {"tests", "benchmarks", "docs", "build"}


def package_files() -> list[Path]:
    """Python files of the package, relative to the root."""
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.py"))
    return sorted(p for p in found if p.parts[0] not in OUTSIDE and not p.parts[0].startswith("."))


def part_of(parts: tuple[str, ...]) -> str:
    """The part of the package a path or a module lies in: a top folder, or a file of the root."""
    return parts[0].removesuffix(".py") if parts else "__init__"


def imported_parts(path: Path) -> Iterator[str]:
    """The parts that a file imports, at the top, in functions and for types."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                assert name.name.partition(".")[0] != "triptych", f"{path}:{node.lineno}: import relatively"
        elif isinstance(node, ast.ImportFrom) and not node.level:
            assert (node.module or "").partition(".")[0] != "triptych", f"{path}:{node.lineno}: import relatively"
        elif isinstance(node, ast.ImportFrom):
            base = path.parent.parts[: len(path.parent.parts) - (node.level - 1)]
            module = (*base, *(node.module.split(".") if node.module else ()))
            if module:
                yield part_of(module)
            else:
                yield from (name.name for name in node.names)


@pytest.mark.parametrize("path", package_files(), ids=str)
def test_a_file_imports_only_from_below_or_from_its_own_part(path: Path) -> None:
    own = part_of(path.parts)
    for other in imported_parts(path):
        assert other in FLOORS, f"{path} imports {other}, which is on no floor"
        lower = FLOORS[other] < FLOORS[own] or FLOORS[own] == FLOORS["cli"] == FLOORS[other]
        assert other == own or lower, f"{path} (floor {FLOORS[own]}) imports {other} (floor {FLOORS[other]})"


def test_the_walk_sees_imports() -> None:
    assert {"errors", "shards", "validators", "converters"} <= set(imported_parts(Path("converters/export/render.py")))
    assert set(imported_parts(Path("shards/store.py"))) == {"errors", "shards"}


def test_every_package_of_the_tree_is_installed() -> None:
    folders = {path.parent for path in package_files()}
    assert {".".join(("triptych", *folder.parts)) for folder in folders} == set(PACKAGES)
    for folder in folders:
        assert (ROOT / folder / "__init__.py").is_file(), f"{folder} has no __init__.py"


@pytest.mark.parametrize("path", package_files(), ids=str)
def test_a_file_is_short_says_what_it_is_and_is_named_for_it(path: Path) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert len(text.splitlines()) < 400
    assert path.stem not in ("utils", "util", "helpers", "helper", "common", "misc", "manager", "handler")
    assert not text.strip() or ast.get_docstring(ast.parse(text)), f"{path} says nothing of itself"
