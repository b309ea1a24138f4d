"""The changes that CONTRIBUTING.md shows a newcomer apply to the repository as it is, and do what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import cache_from_source
from pathlib import Path

import pytest
from support.places import ROOT

CHANGE = re.compile(r"^### (.*?)\n.*?^```diff\n(.*?)^```", re.MULTILINE | re.DOTALL)
Run = Callable[..., str]
COMMANDS = """
import json, sys
from pathlib import Path
import triptych
from support.command_line import run
for line in sys.stdin:
    words, cwd = json.loads(line)
    done = run("triptych", *words, cwd=Path(cwd))
    print(json.dumps([triptych.__path__[0], done.code, done.stdout, done.stderr]), flush=True)
"""
"""Runs one command after the other: a process for each would load the copy anew."""
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
            shutil.copy2(ROOT / name, package / name)
            if name.endswith(".py"):
                _copy_compiled(ROOT / name, package / name)
    for title, change in changes().items():
        if title == "Add a view" and not (ROOT / "converters/views/unified.sql").is_file():
            continue
        done = subprocess.run(["git", "apply", "--unidiff-zero", "-"], cwd=package, input=change, capture_output=True,
                              text=True, check=False)  # fmt: skip
        assert done.returncode == 0, f"{title}: the change does not apply any more\n{done.stderr}"
    return package


def _copy_compiled(source: Path, copy: Path) -> None:
    """What Python has compiled serves a copy of the same time, too."""
    compiled, place = (Path(cache_from_source(str(file))) for file in (source, copy))
    if compiled.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(compiled, place)


@pytest.fixture(scope="module")
def run(copy: Path, no_config: Path) -> Iterator[Run]:
    """Runs a command of the changed copy, in one process for all; it must exit 0, and what it prints is returned."""
    path = os.pathsep.join(map(str, (copy.parent, ROOT / "tests")))
    environment = {**os.environ, "PYTHONPATH": path, "XDG_CONFIG_HOME": str(no_config)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", COMMANDS], env=environment, text=True, **pipes) as process:
        assert process.stdin is not None and process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def command(*words: str, cwd: Path) -> str:
            print(json.dumps([words, str(cwd)]), file=stdin, flush=True)
            package, code, printed, errors = json.loads(stdout.readline())
            assert Path(package) == copy and code == 0, printed + errors
            return str(printed)

        yield command
        stdin.close()


@pytest.fixture(scope="module")
def pulled(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of ten utterances."""
    folder = tmp_path_factory.mktemp("pulled")
    run("catalog", "pull", "demo-speech", "--samples", "10", cwd=folder)
    return folder


def test_the_page_shows_the_three_tasks() -> None:
    assert list(changes()) == ["Add an option to `export`", "Add a view", "Add a dataset with a known layout"]


def test_the_new_option_is_in_the_help_and_filters(run: Run, pulled: Path) -> None:
    assert "--language" in run("export", "--help", cwd=pulled)
    everything = int(run("query", "select count(*) n from samples where language = 'en'", "--format", "csv",
                         cwd=pulled).split()[1])  # fmt: skip
    assert 0 < everything < 10
    assert f"published: {everything} rows" in run("export", "unified", "--language", "en", cwd=pulled)


def test_the_new_view_publishes_and_validates(run: Run, copy: Path, pulled: Path) -> None:
    assert (copy / "converters/views/captions.sql").is_file()
    assert "captions@v1 published: 10 rows" in run("export", "captions", cwd=pulled)
    assert "0 errors" in run("validate-file", "captions", "store/exports/captions/v1/data.jsonl", cwd=pulled)


def test_the_new_card_is_in_the_catalog(run: Run, tmp_path: Path) -> None:
    assert "0 problems" in run("catalog", "lint", cwd=tmp_path)
    assert "Kitchen talk" in run("catalog", "show", "kitchen", cwd=tmp_path)
