"""The site builds, every page has its place in the menu, links lead somewhere, and files that pages name exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from support import python_page
from support.places import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
READ_IN_THE_REPOSITORY = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)\s]*)?\)")
NAMED = re.compile(
    r"`((?:catalog|converters|validators|shards|trainers|commands|tests|benchmarks|docs|cli|api|errors|version|__init__)"
    r"(?:/[\w.-]+)*(?:/|\.py|\.yaml|\.md|\.sql))`"
)
"""A file or folder of the repository in code style: `shards/store/store.py`, `catalog/cards/`."""


def menu(entries: list[Any]) -> list[str]:
    """The pages of a menu and its submenus."""
    pages = []
    for entry in entries:
        [value] = entry.values()
        pages += menu(value) if isinstance(value, list) else [value]
    return pages


def test_every_page_stands_once_in_the_menu() -> None:
    settings = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(menu(settings["nav"])) == sorted(page.relative_to(DOCS).as_posix() for page in PAGES)


@pytest.mark.parametrize("page", [*READ_IN_THE_REPOSITORY, *PAGES], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_named_files_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [target for target, _ in LINK.findall(text) if "://" not in target]
    assert [target for target in links if not (page.parent / target).exists()] == []
    assert [name for name in NAMED.findall(text) if not (ROOT / name).exists()] == []


def test_the_page_of_the_python_functions_is_made_from_their_docstrings() -> None:
    assert (DOCS / "reference/python.md").read_text(encoding="utf-8") == python_page.page(), (
        "make it again: python tests/support/python_page.py > docs/reference/python.md"
    )


def test_the_site_builds_and_needs_no_network(tmp_path: Path) -> None:
    zensical = Path(sys.executable).parent / "zensical"
    if not zensical.is_file():
        pytest.skip("needs zensical: pip install 'triptych[docs]'")
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    done = subprocess.run(
        [zensical, "build", "--strict"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    site = tmp_path / "site"
    for page in PAGES:
        html = (site / page.relative_to(DOCS)).with_suffix(".html").read_text(encoding="utf-8")
        assert re.findall(r'(?:src|href)="(?:https?:)?//(?!zensical\.org)[^"]*\.(?:js|css|woff2?)"', html) == []
