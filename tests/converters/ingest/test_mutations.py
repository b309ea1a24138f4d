"""Mutated media files through import, validate and export: every file is stored or told, and none ends a run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported, mutations
from support.stores import check_accounts, check_media, one, select

SUFFIXES = ("flac", "mkv", "mp3", "mp4", "ogg", "wav")


def mutated_row(folder: Path, seed: int) -> dict[str, Any]:
    """The row of one mutated file; every third sound has a span."""
    suffix = SUFFIXES[seed % len(SUFFIXES)]
    path = folder / f"{seed}.{suffix}"
    path.write_bytes(mutations.mutate(mutations.base_files()[suffix], seed))
    row = {"id": f"{seed}", "text": "hello", "video" if suffix in ("mp4", "mkv") else "audio": str(path)}
    return row | ({"start_s": 0.02, "end_s": 0.08} if seed // len(SUFFIXES) % 3 == 0 and "audio" in row else {})


def check_mutations(folder: Path, seeds: range) -> Counter[str]:
    """Import, validate and export the mutations of these seeds; returns the outcomes of the export."""
    (folder / "in").mkdir(parents=True)
    rows = [mutated_row(folder / "in", seed) for seed in seeds]
    store = imported.bring_in(folder / "store", "mutated", rows, folder)
    check_media(store)
    triptych.validate(store=store)
    result = triptych.export("unified", store=store, include_rejected=True)
    check_accounts(store)
    stored = one(store, "select count(*) from samples")
    assert stored + one(store, "select count(*) from events where stage = 'import'") == len(rows)
    assert one(store, "select count(*) from verdicts") == stored == sum(result.counts.values())
    assert select(store, "select * from events where detail = ''") == []
    return Counter(result.counts) + Counter({"not stored": len(rows) - stored})


def test_a_mutation_is_the_same_for_the_same_seed() -> None:
    wav = mutations.base_files()["wav"]
    assert mutations.mutate(wav, 5) == mutations.mutate(wav, 5) != mutations.mutate(wav, 6)


def test_hundreds_of_mutated_files(tmp_path: Path) -> None:
    outcomes = check_mutations(tmp_path, range(350))
    assert min(outcomes["written"], outcomes["not stored"]) > 75, outcomes
    assert outcomes["undecodable"], outcomes


@pytest.mark.thorough
@pytest.mark.parametrize("start", range(350, 22_350, 4_000))
def test_many_mutated_files(tmp_path: Path, start: int) -> None:
    check_mutations(tmp_path, range(start, start + 4_000))
