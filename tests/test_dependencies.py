"""What `pyproject.toml` declares is what the package imports; what it installs has a version in `constraints.txt`."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from support.places import ROOT
from support.source import imports, package_files, tree

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# Declared for what nobody imports by name, each with its reason.
NOT_IMPORTED = {
    "dashscope": "shards/budgets/text.py reads the vocabulary in its wheel",
    "yt-dlp-ejs": "yt-dlp loads it",
    "torch": "the extra `infer`",
    "transformers": "the extra `infer`",
    "accelerate": "transformers loads it to place a model on several devices",
    "safetensors": "transformers reads weights with it",
    "peft": "the extra `train`",
    "sacrebleu": "the extra `metrics`",
    "whisper-normalizer": "the extra `metrics`",
    "zhconv": "the extra `metrics`",
    "ray": "the extra `ray`",
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    """Their distributions, without the extras of this one that they name."""
    found = (re.match(r"[\w.-]+", requirement) for requirement in requirements)
    return {normal(match[0]) for match in found if match} - {"triptych"}


DRIVERS = Path("validators/consumers/drivers")
"""Programs for environments of their own, which `clients/` pins: tests/validators/consumers/test_drivers.py."""

REWARDS = Path("trainers/rewards")
"""Files that a trainer loads on its own machine: tests/trainers/test_rewards.py."""

SUBCLASSES = {
    "trainers/runs/loop/trainer.py": "RunTrainer is a transformers.Trainer",
    "trainers/runs/loop/step_end.py": "StepEnd is a TrainerCallback of it",
}
"""Files that load an extra at the top, since a class in them needs it; no file but these may load them at the top."""

TOOLS = {"dev", "docs"}
"""Extras of programs that work on the project; the package imports none of them."""

CORE = names(PROJECT["dependencies"])
EXTRAS = {extra: names(listed) for extra, listed in PROJECT["optional-dependencies"].items() if extra not in TOOLS}
DECLARED = CORE.union(*EXTRAS.values())


@cache
def distributions() -> Mapping[str, list[str]]:
    """The distributions that are installed here, by the modules that they bring."""
    return packages_distributions()


@cache
def imported() -> dict[str, set[str]]:
    """Distributions that the package imports, at the top, in functions and for types, with the files that do."""
    by_module = distributions()
    found: dict[str, set[str]] = {}
    for path in package_files():
        if path.is_relative_to(DRIVERS) or path.is_relative_to(REWARDS):
            continue
        for node in imports(path):
            modules = []
            if isinstance(node, ast.Import):
                modules = [name.name for name in node.names]
            elif not node.level:
                modules = [node.module or ""]
            for top in {module.partition(".")[0] for module in modules} - sys.stdlib_module_names:
                # A module that is not installed here (of an extra) is taken to be of the distribution of its name.
                for distribution in by_module.get(top, [top]):
                    found.setdefault(normal(distribution), set()).add(str(path))
    return found


def test_what_is_imported_is_declared() -> None:
    missing = {name: sorted(files) for name, files in imported().items() if name not in DECLARED}
    assert not missing, "imported and in no list of pyproject.toml"


def test_what_is_declared_is_imported() -> None:
    idle = DECLARED - set(imported()) - set(NOT_IMPORTED)
    assert not idle, "declared and imported by nothing: drop them, or say in NOT_IMPORTED why they are there"
    assert not set(NOT_IMPORTED) & CORE, "what everybody installs must be used"


@pytest.mark.parametrize("extra", [extra for extra in EXTRAS if extra not in ("train", "ray")])
def test_what_an_extra_brings_is_loaded_only_where_it_is_used(extra: str) -> None:
    modules = {normal(name): top for top, found in distributions().items() for name in found}
    files = {Path(file) for name in EXTRAS[extra] for file in imported().get(name, ())}
    for path in sorted(files - {Path(file) for file in SUBCLASSES}):
        tops = {modules.get(name, name.replace("-", "_")) for name in EXTRAS[extra]}
        for node in tree(path).body:
            at_top = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            at_top += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not tops & {name.partition(".")[0] for name in at_top}, f"{path}:{node.lineno}: import it inside"


@pytest.mark.parametrize("file", SUBCLASSES)
def test_a_file_that_needs_an_extra_at_its_top_is_loaded_only_where_it_is_used(file: str) -> None:
    made = Path(file)
    for path in sorted(set(package_files()) - {Path(each) for each in SUBCLASSES}):
        at_top = [node for node in tree(path).body if isinstance(node, ast.ImportFrom) and node.level]
        for node in at_top:
            folder = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            named = {folder.parent / f"{folder.name}.py", *(folder / f"{name.name}.py" for name in node.names)}
            assert made not in named, f"{path}:{node.lineno}: import it inside"


def test_every_package_that_is_installed_for_work_on_it_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {normal(line.partition("==")[0]) for line in lines if "==" in line}
    extras = ("archives", "budgets", "demo", "infer", "metrics", "youtube")
    wanted = CORE.union(*(EXTRAS[extra] for extra in extras))
    assert wanted | names(PROJECT["optional-dependencies"]["dev"]) <= pinned


@pytest.mark.parametrize(
    ("pattern", "only_in"),
    [
        (r"\byaml\.(safe_load|load|load_all|full_load|unsafe_load|parse|compose|scan)\b|^\s*(import|from) yaml\b",
         {"shards/strict_yaml.py"}),
        (r"^\s*(import|from) (fcntl|filelock|portalocker|fasteners)\b", {"shards/store/lock.py"}),
    ],
    ids=["YAML", "locks"],
)  # fmt: skip
def test_there_is_one_way_to_do_it(pattern: str, only_in: set[str]) -> None:
    text = {path.as_posix(): (ROOT / path).read_text(encoding="utf-8") for path in package_files()}
    users = {name for name, source in text.items() if re.search(pattern, source, re.MULTILINE)}
    assert users == only_in
