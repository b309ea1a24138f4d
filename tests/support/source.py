"""The source of the package as tests look at it: its files, and who imports whom."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from support.places import ROOT

OUTSIDE = {"tests", "benchmarks", "docs", "build", "site"}


def python_files(folder: Path, *, leave_out: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Python files under a folder, relative to the root; hidden folders and caches are not entered."""
    for place, folders, files in os.walk(folder):
        is_top = Path(place) == folder
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and name != "__pycache__" and not (is_top and name in leave_out)
        )
        yield from (Path(place, name).relative_to(ROOT) for name in sorted(files) if name.endswith(".py"))


@cache
def package_files() -> tuple[Path, ...]:
    """Python files of the package, relative to the root."""
    return tuple(sorted(python_files(ROOT, leave_out=frozenset(OUTSIDE))))


@cache
def tree(path: Path) -> ast.Module:
    """The syntax of a file of the repository."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def module_of(path: Path) -> tuple[str, ...]:
    """The name of a file's module inside the package: `("shards", "store")`; `()` is the package itself."""
    parts = path.with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


@cache
def modules() -> frozenset[tuple[str, ...]]:
    """Every module of the package."""
    return frozenset(map(module_of, package_files()))


@cache
def imports(path: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """Every import of a file: at the top, in functions and for types."""
    return tuple(node for node in ast.walk(tree(path)) if isinstance(node, ast.Import | ast.ImportFrom))


def relative_imports(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line and module of every relative import of a file."""
    for node in imports(path):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = path.parent.parts[: len(path.parent.parts) - (node.level - 1)]
        module = (*base, *(node.module.split(".") if node.module else ()))
        for name in node.names:
            inner = (*module, name.name)
            yield node.lineno, inner if inner in modules() else module
