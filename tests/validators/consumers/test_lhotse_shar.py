"""What our validator says of a shard is what Lhotse does with it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.lhotse_recipes import lhotse_python
from support.stores import cli
from support.trainer_rows.lhotse_shards import folders
from triptych.validators.formats import FORMATS, Finding, summarise_file, validate_file
from triptych.validators.formats.toolkits.shar import PROBLEMS, examine

READ = """
import json, sys
from lhotse.shar.readers.lazy import LazySharIterator
for folder in sys.stdin.read().splitlines():
    given, unloadable, stopped = 0, [], False
    try:
        reader = LazySharIterator(in_dir=folder)
        for cut in reader:
            if cut.shard_origin.name.split(".")[1] != "000000":
                break
            given += 1
            try:
                cut.load_audio()
            except Exception:
                unloadable.append(given)
    except Exception as error:
        stopped = f"{type(error).__name__}: {error}"[:200]
    print(json.dumps({"given": given, "unloadable": unloadable, "stopped": stopped}), flush=True)
"""
FOLDERS = dict(folders())


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for number, (name, files) in enumerate(FOLDERS.items()):
        made[name] = tmp_path_factory.mktemp(f"shar{number}-")
        for file, held in files.items():
            (made[name] / file).write_bytes(held)
    return made


def said(folder: Path) -> dict[str, Any]:
    """What the validator says that Lhotse does with the first shard of a folder."""
    found = list(examine(folder / "cuts.000000.jsonl.gz"))
    rows = [findings for number, findings in found if number is not None]
    lost = [each for each in rows if any(f.stage == "reading" and f.outcome != "kept" for f in each)]
    stops = any(f.outcome == "crashed" and f.stage == "reading" for _, findings in found for f in findings)
    unloadable = [f.row for each in rows for f in each if f.stage == "loading" and f.outcome == "crashed"]
    return {"given": len(rows) - len(lost), "unloadable": unloadable, "stopped": stops}


def test_a_shard_fares_as_the_validator_says(shards: dict[str, Path]) -> None:
    asked = "\n".join(map(str, shards.values()))
    done = subprocess.run(
        [lhotse_python(), "-c", READ], input=asked, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    answers = dict(zip(shards, map(json.loads, done.stdout.splitlines()), strict=True))
    wrong = {}
    for name, answer in answers.items():
        ours = said(shards[name])
        if ours != {**answer, "stopped": bool(answer["stopped"])}:
            wrong[name] = (answer, ours)
            print(name, answer, ours)
    assert wrong == {}


def test_every_problem_is_found_and_what_is_lost_without_a_word_is_an_error(shards: dict[str, Path]) -> None:
    found: dict[str, list[Finding]] = {
        name: list(validate_file(folder / "cuts.000000.jsonl.gz", "lhotse")) for name, folder in shards.items()
    }
    assert {each.code for findings in found.values() for each in findings} == PROBLEMS.keys()
    assert FORMATS["lhotse"].PROBLEMS.keys() >= PROBLEMS.keys()
    clean = {name for name, findings in found.items() if not findings}
    assert clean == {"whole", "another shard", "marks", "marks compressed", "compressed", "no sound at all"}
    for name in ("last pair missing", "a pair too many", "damaged header", "joined", "marks too few"):
        assert any(each.outcome == "deleted" for each in found[name]), name


def test_a_shard_is_validated_by_the_file_of_its_cuts(shards: dict[str, Path]) -> None:
    cuts = shards["last pair missing"] / "cuts.000000.jsonl.gz"
    summary = summarise_file(cuts, "lhotse")
    assert (summary.rows, summary.errors, summary.counts) == (4, 1, {"lost_cut": 1})
    done = cli("validate-file", "lhotse", cuts)
    assert done.returncode == 1 and "lost_cut" in done.stdout and "without a word" in done.stdout
