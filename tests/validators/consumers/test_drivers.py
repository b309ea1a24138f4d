"""Drivers of consumers: what they import is in the environment that they run in."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from support.places import ROOT
from triptych.validators.consumers import CONSUMERS

DRIVERS = ROOT / "validators/consumers/drivers"
OF_A_CLIENT = {name: each for name, each in CONSUMERS.items() if not each.here}
DISTRIBUTIONS = {"swift": "ms_swift"}
"""Modules whose distribution has another name."""


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
    return {name.partition(".")[0] for name in found} - sys.stdlib_module_names


@pytest.mark.parametrize("name", OF_A_CLIENT)
def test_what_a_driver_imports_is_pinned_for_its_environment(name: str) -> None:
    client = OF_A_CLIENT[name]
    lines = (ROOT / f"{client.environment or f'clients/{name}'}.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.partition("==")[0].lower().replace("-", "_") for line in lines if "==" in line}
    needed = imports(DRIVERS / f"{client.driver}.py")
    if client.models:
        needed |= imports(DRIVERS / "processors.py") - {"torchaudio"}
    assert {DISTRIBUTIONS.get(module, module) for module in needed} <= pinned


def test_drivers_import_nothing_of_the_package() -> None:
    for path in DRIVERS.glob("*.py"):
        deep = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        assert all(node.level <= 1 for node in deep), path
