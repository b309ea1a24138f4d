"""What `make` sets up for the commands that it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.places import ROOT


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_what_make_runs_keeps_what_python_compiles_whatever_the_shell_says(tmp_path: Path) -> None:
    """Packages are installed uncompiled: without this, each process of the tests compiles all that it imports."""
    (tmp_path / "Makefile").write_text(f"include {ROOT}/Makefile\nprint-environment:\n\t@env\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    done = subprocess.run(
        ["make", "--silent", "print-environment"], cwd=tmp_path, capture_output=True, text=True, check=True,
        env=environment | {"PYTHONDONTWRITEBYTECODE": "1", "STAYS": "1"},
    )  # fmt: skip
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines() if line.startswith(("PYTHON", "STAYS")))
    assert seen["STAYS"] == "1" and not seen.get("PYTHONDONTWRITEBYTECODE")


@pytest.mark.skipif(not (Path(sys.prefix) / "peers/.installed").is_file(), reason="`make peers`")
def test_the_peers_use_the_torch_that_is_there_and_their_own_packages() -> None:
    find = (
        "from importlib.util import find_spec as f; print(*(f(n).origin for n in ('torch', 'lhotse')), f('triptych'))"
    )
    peers = Path(sys.prefix) / "peers"
    done = subprocess.run([peers / "bin/python", "-c", find], capture_output=True, text=True, check=True)
    torch, lhotse, ours = done.stdout.split()
    assert Path(sys.prefix) in Path(torch).parents and peers not in Path(torch).parents
    assert peers in Path(lhotse).parents and ours == "None"
