"""Drivers of consumers: what they import is in the environment that they run in, and what is said where one dies."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from support import imported
from support.places import ROOT
from triptych.errors import TriptychError
from triptych.validators.consumers import CONSUMERS
from triptych.validators.consumers.client import ask

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


_DIES = """#!{python}
import json, os, signal, sys
request = json.load(sys.stdin)
print(json.dumps({{"version": "1"}}), flush=True)
for number, line in enumerate(open(request["file"])):
    if number < request.get("skip", 0):
        continue
    row = json.loads(line)["id"]
    if row in ("b", "d"):
        os.kill(os.getpid(), signal.SIGSEGV)
    print(json.dumps({{"id": row, "outcome": "kept"}}), flush=True)
    print(json.dumps({{"rows": 1, "loaded": 1}}), flush=True)
"""


def test_a_row_that_ends_the_consumer_has_crashed_it_and_the_others_are_asked_for(tmp_path: Path) -> None:
    python, file = tmp_path / "python", imported.table(tmp_path / "rows.jsonl", [{"id": each} for each in "abcd"])
    python.write_text(_DIES.format(python=sys.executable))
    python.chmod(0o755)
    found = ask(CONSUMERS["llamafactory"], python, {"file": str(file), "alone": True})
    assert {row: each["outcome"] for row, each in found.rows.items()} == {
        "a": "kept", "b": "crashed", "c": "kept", "d": "crashed"
    }  # fmt: skip
    assert (found.total, found.loaded) == (4, 2) and "Segmentation fault" in found.rows["b"]["why"]
    with pytest.raises(TriptychError, match="ended by Segmentation fault"):
        ask(CONSUMERS["llamafactory"], python, {"file": str(file)})
