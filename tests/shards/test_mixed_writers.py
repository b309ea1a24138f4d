"""Eight writers at work in one store, purges among them: nothing doubled, nothing lost, nobody fails without cause.

TRIPTYCH_WRITERS=1200 pytest -m thorough tests/shards/test_mixed_writers.py      # 20 minutes; default: 20 s
"""

from __future__ import annotations

import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import imported, kills
from support.corpora import Utterance, archive, card, members
from support.kills import Ended
from support.stores import check_accounts, check_media, cli, leftovers, one

SECONDS = float(os.environ.get("TRIPTYCH_WRITERS", "20"))
SEED = int(os.environ.get("TRIPTYCH_SEED", "1"))
SPOKEN = [Utterance("train", n) for n in range(60)]
TALKS = ("talks", "tales")
Words = tuple[str | Path, ...]
Writer = Callable[[random.Random, Path], Iterator[Words]]

CAUSES = {
    1: r"Nothing to export|\d withdrawn|withdrawn, but not purged yet|stay removed|id_conflict",
    2: r"No sample is selected|has no sample|has no dataset|Nothing was removed|were purged|was withdrawn",
}
"""Why a command may end with these codes: others removed or purged what it is about."""


def pulls(draw: random.Random, work: Path) -> Iterator[Words]:
    pull = ("catalog", "pull", "words", "--split", "train", "--mirror", work, "--cards", work / "cards")
    while True:
        yield (*pull, "--samples", str(draw.randint(5, 60)))


def imports(draw: random.Random, work: Path) -> Iterator[Words]:
    ways = (("--on-conflict", "reject"), ("--on-conflict", "update"), ("--sync",))
    while True:
        table = work / f"{draw.choice(('some', 'many', 'changed'))}.jsonl"
        yield ("import", "jsonl", table, "--name", draw.choice(TALKS), *draw.choice(ways))


def judges(draw: random.Random, _: Path) -> Iterator[Words]:
    while True:
        yield ("validate", *draw.choice(((), ("words",), ("talks",))))
        identity = f"{draw.choice(TALKS)}/train/utt{draw.randrange(40):03d}"
        yield ("annotate", identity, draw.choice(("text", "mood")), f"value {draw.randrange(9)}")


def exports(draw: random.Random, work: Path) -> Iterator[Words]:
    for number in range(10**9):
        yield ("export", "unified", "--name", "all", "--where", f"id < '{draw.choice('tuvwxyz')}'")
        yield ("export", "msswift", "--task", "sft", "--dataset", draw.choice((*TALKS, "words")), "--name", "sft")
        yield ("exports", "relocate", "all", "--media-root", f"/elsewhere/{draw.randrange(3)}")
        yield ("exports", "pack", "sft", "--to", work / f"pack{number}")


def removes(draw: random.Random, _: Path) -> Iterator[Words]:
    while True:
        name, where = draw.choice(TALKS), f"speaker = 's{draw.randrange(5)}'"
        yield ("store", "remove", name, "--where", where)
        yield draw.choice((("store", "restore", name), ("store", "remove", name, "--where", where, "--forget")))


def purges(draw: random.Random, _: Path) -> Iterator[Words]:
    while True:
        name = draw.choice((*TALKS, "words"))
        yield ("store", "remove", name, "--where", f"text LIKE '%{draw.randrange(10)}'", "--purge")
        yield ("store", "remove", name, "--forget")
        yield ("store", "gc", "--older-than-days", "0")


def cares(_: random.Random, __: Path) -> Iterator[Words]:
    while True:
        yield ("store", "compact")
        yield ("store", "status")
        yield ("query", "select dataset, count(*) from samples group by 1")
        yield ("exports", "verify")
        yield ("store", "verify", "--quick")
        yield ("store", "refresh")


WRITERS: list[Writer] = [pulls, imports, imports, judges, exports, removes, purges, cares]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A mirror with a corpus, and tables of the same talks: some, many, and with other texts."""
    path = archive(tmp_path / "example.org" / "words" / "train.tar.gz", members(SPOKEN))
    card(tmp_path / "cards", sums={"train": path})
    rows = imported.speech_rows(tmp_path / "in", 40)
    for number, row in enumerate(rows):
        row["speaker"] = f"s{number % 5}"
    imported.table(tmp_path / "many.jsonl", rows)
    imported.table(tmp_path / "some.jsonl", rows[:25])
    imported.table(tmp_path / "changed.jsonl", [row | {"text": f"other {row['text']}"} for row in rows[10:]])
    return tmp_path


def has_cause(ended: Ended) -> bool:
    if "Traceback" in ended.output:
        return False
    return ended.code == 0 or re.search(CAUSES.get(ended.code, "(?!)"), ended.output) is not None


@pytest.mark.thorough
@pytest.mark.timeout(round(2 * SECONDS + 300))
def test_mixed_writers(work: Path) -> None:
    store, until = work / "store", time.monotonic() + SECONDS
    assert cli("import", "jsonl", work / "many.jsonl", "--name", "talks", "--store", store).returncode == 0
    ends: Counter[tuple[str, int]] = Counter()
    failed: list[Ended] = []

    def write(number: int) -> None:
        draw = random.Random(f"{SEED}/{number}")
        for words in WRITERS[number](draw, work):
            if time.monotonic() > until:
                return
            ended = kills.run(*words, "--store", store)
            ends[ended.words[0], ended.code] += 1
            if not has_cause(ended):
                failed.append(ended)

    with ThreadPoolExecutor(len(WRITERS)) as pool:
        list(pool.map(write, range(len(WRITERS))))
    print(sum(ends.values()), "commands:", sorted(ends.items()))
    told = (f"{' '.join(each.words)}: {each.code}\n{each.output}" for each in failed)
    assert not failed, "\n\n".join(told)
    assert cli("store", "remove", "--resume", "--store", store).returncode == 0
    check_accounts(store)
    check_media(store)
    verified = cli("store", "verify", "--store", store)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert leftovers(store) == []
    for table in ("checks", "verdicts"):
        assert one(store, f"select count(*) from {table} where id not in (select id from samples)") == 0, table
