"""The wheel: what is in it, and that it works where nothing else of the project is."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from support.places import ROOT

SETUPTOOLS = 77


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what git knows, without the network."""
    if int(version("setuptools").partition(".")[0]) < SETUPTOOLS:
        pytest.skip(f"needs setuptools {SETUPTOOLS} or newer in this environment, has {version('setuptools')}")
    pytest.importorskip("build", reason="needs the package `build`")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True
    )
    if listed.returncode:
        pytest.skip("needs the git checkout, to know which files are the project's")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_holds_the_package_and_nothing_beside_it(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    cards = [f"triptych/catalog/cards/{path.name}" for path in (ROOT / "catalog/cards").glob("*.yaml")]
    assert cards and set(cards) <= set(names)
    for name in (
        "py.typed",
        "cli.py",
        "converters/views/templates/prompts.yaml",
        "validators/report.html",
        "validators/rules.yaml",
    ):
        assert f"triptych/{name}" in names
    tops = {name.partition("/")[0] for name in names}
    assert len(tops) == 2 and "triptych" in tops and all(top.endswith(".dist-info") for top in tops - {"triptych"})
    inside = {name.split("/")[1] for name in names if name.startswith("triptych/")}
    assert inside.isdisjoint({"tests", "docs", "benchmarks", "build", "README.md", "Makefile", "pyproject.toml"})


def test_the_wheel_installs_and_works_on_its_own(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", target, wheel]
    subprocess.run(pip, check=True)
    environment = {**os.environ, "PYTHONPATH": str(target)}

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    where = run(sys.executable, "-c", "import triptych; print(triptych.__file__)")
    assert where.strip() == str(target / "triptych/__init__.py")
    assert "librispeech" in run(sys.executable, target / "bin/catalog", "list")
    assert "usage" in run(sys.executable, target / "bin/triptych", "--help").lower()
