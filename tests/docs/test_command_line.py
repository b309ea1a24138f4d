"""The commands that tests run in their own process leave what processes leave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import command_line
from support.command_line import Done, Shell
from support.stores import command

FILES = Path("/proc/self/fd")
LINES = [
    ["catalog", "list", "--panel", "S2", "--json"],
    ["catalog", "show", "demo-speech"],
    ["catalog", "show", "no-such-dataset"],
    ["query", "select 1", "--store", "nowhere"],
    ["export", "--no-such-option"],
    ["--version"],
    ["store", "init", "--store", "made"],
]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config"), "LC_ALL": "C.UTF-8"}


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_a_command_here_prints_what_a_process_prints(
    words: list[str], tmp_path: Path, environment: dict[str, str]
) -> None:
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
    here = command_line.run("triptych", *words, cwd=tmp_path / "here", env=environment)
    there = subprocess.run(
        command(*words), cwd=tmp_path / "there", env=environment, capture_output=True, text=True, timeout=120
    )
    assert here == Done(there.returncode, *(text.replace("/there", "/here") for text in (there.stdout, there.stderr)))
    made = [sorted(path.name for path in (tmp_path / place).rglob("*.json")) for place in ("here", "there")]
    assert made[0] == made[1]


def test_a_command_leaves_this_process_as_it_was(tmp_path: Path, environment: dict[str, str]) -> None:
    before = sys.argv, Path.cwd(), dict(os.environ), sys.stdout, sys.stderr, len(list(FILES.iterdir()))
    command_line.run("catalog", "list", cwd=tmp_path, env={**environment, "TRIPTYCH_STORE": "elsewhere"})
    after = sys.argv, Path.cwd(), dict(os.environ), sys.stdout, sys.stderr, len(list(FILES.iterdir()))
    assert after == before


def test_pipes_variables_and_exit_codes_are_those_of_bash(tmp_path: Path, environment: dict[str, str]) -> None:
    with Shell(tmp_path, env=environment, keep=["NAME"]) as shell:
        assert shell.run("NAME=$(catalog list --json | grep -o demo-speech | head -n 1)").code == 0
        assert shell.run('echo "$NAME"').stdout == "demo-speech\n"
        assert shell.run("catalog show nothing-like-it").code == 2
        assert shell.run("mkdir deep && cd deep && triptych store init && ls store | head -n 1").stdout.strip()
        assert shell.run(
            "catalog list | head -n 1; catalog show nothing-like-it 2>/dev/null || echo $?"
        ).stdout.endswith("2\n")
        here = shell.run("triptych --version")
        assert shell.run("triptych --version", real=True) == shell.run("triptych --version", forked=True) == here
        failed = shell.run("catalog show nothing-like-it")
        assert shell.run("catalog show nothing-like-it", forked=True) == failed
    assert (tmp_path / "deep/store").is_dir()
