"""The changes that CONTRIBUTING.md shows a newcomer apply to the repository as it is, and do what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.places import ROOT
from support.stores import MAIN

CHANGE = re.compile(r"^### (.*?)\n.*?^```diff\n(.*?)^```", re.MULTILINE | re.DOTALL)
PACKAGE = ("*.py", "*.sql", "*.yaml", "*.tsv", "py.typed")


def changes() -> dict[str, str]:
    """Title -> diff, in the order of the page."""
    return dict(CHANGE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with all changes made, under a folder that can be put on Python's path."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    listed = subprocess.run(["git", "ls-files", *PACKAGE], cwd=ROOT, capture_output=True, text=True, check=True)
    package = tmp_path_factory.mktemp("copy") / "triptych"
    edited = set(re.findall(r"^\+\+\+ b/(.+)$", "".join(changes().values()), re.MULTILINE))
    for name in listed.stdout.splitlines():
        if (name in edited or not name.startswith("tests/")) and (ROOT / name).is_file():
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, package / name)
    for title, change in changes().items():
        if title == "Add a view" and not (ROOT / "converters/views/unified.sql").is_file():
            continue
        done = subprocess.run(["git", "apply", "--unidiff-zero", "-"], cwd=package, input=change, capture_output=True,
                              text=True, check=False)  # fmt: skip
        assert done.returncode == 0, f"{title}: the change does not apply any more\n{done.stderr}"
    return package


def run(package: Path, *words: str, cwd: Path) -> str:
    """What a command of the changed copy prints; it must exit 0."""
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "XDG_CONFIG_HOME": str(cwd / "config")}
    line = [sys.executable, "-c", MAIN, *words]
    done = subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True,
                          timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pulled(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of ten utterances."""
    folder = tmp_path_factory.mktemp("pulled")
    run(copy, "catalog", "pull", "demo-speech", "--samples", "10", cwd=folder)
    return folder


def test_the_page_shows_the_three_tasks() -> None:
    assert list(changes()) == ["Add an option to `export`", "Add a view", "Add a dataset with a known layout"]


def test_the_new_option_is_in_the_help_and_filters(copy: Path, pulled: Path) -> None:
    assert "--language" in run(copy, "export", "--help", cwd=pulled)
    everything = int(run(copy, "query", "select count(*) n from samples where language = 'en'", "--format", "csv",
                         cwd=pulled).split()[1])  # fmt: skip
    assert 0 < everything < 10
    assert f"published: {everything} rows" in run(copy, "export", "unified", "--language", "en", cwd=pulled)


def test_the_new_view_publishes_and_validates(copy: Path, pulled: Path) -> None:
    assert (copy / "converters/views/captions.sql").is_file()
    assert "captions@v1 published: 10 rows" in run(copy, "export", "captions", cwd=pulled)
    assert "0 errors" in run(copy, "validate-file", "captions", "store/exports/captions/v1/data.jsonl", cwd=pulled)


def test_the_new_card_is_in_the_catalog(copy: Path, tmp_path: Path) -> None:
    assert "0 problems" in run(copy, "catalog", "lint", cwd=tmp_path)
    assert "Kitchen talk" in run(copy, "catalog", "show", "kitchen", cwd=tmp_path)
