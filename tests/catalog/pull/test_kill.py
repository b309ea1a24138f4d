"""Killed at any moment and run again, a pull leaves the store that one undisturbed run makes."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.corpora import Utterance, archive, card, members
from support.loopback import Loopback, serve
from support.processes import finish, kill_once, start
from support.stores import check_accounts, check_media, leftovers, media_files, one, select

URL = "/example.org/words/train.tar.gz"
SPOKEN = [Utterance("train", n, frames=8_000) for n in range(120)]
KILLS = 10
COMPARED = "* exclude (pulled_at, audio_file, video_file, image_file)"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 utterances (2 MB) of which some are broken, and a second corpus under another name."""
    folder = tmp_path_factory.mktemp("served")
    files = [(name, b"broken" if name.endswith("7.wav") else data) for name, data in members(SPOKEN)]
    path = archive(folder / URL[1:], files)
    for name in ("words", "more"):
        card(folder / "cards", name=name, sums={"train": path})
    return folder


@pytest.fixture
def host(served: Path) -> Iterator[Loopback]:
    """A host that takes about a second and a half for the archive."""
    with serve(served) as server:
        server.fault(URL, delay=0.01)
        yield server


def contents(store: Path) -> dict[str, Any]:
    """All of a store that must be equal: rows, events, media bytes, the bytes of two exports."""
    for view, options in (("unified", {}), ("msswift", {"task": "sft"})):
        triptych.export(view, store=store, media_root="/m", **options)
    exported = {
        path.relative_to(store).as_posix(): path.read_bytes() for path in sorted(store.glob("exports/*/v*/data.jsonl"))
    }
    assert len(exported) == 2
    return {
        "rows": select(
            store, "select * exclude (pulled_at, audio_file, video_file, image_file) from samples order by id"
        ),
        "events": select(store, "select * exclude (run_id, time) from events order by candidate, reason"),
        "media": media_files(store),
        "exports": exported,
    }


def check(store: Path) -> None:
    check_accounts(store)
    check_media(store)
    assert leftovers(store) == []


@pytest.mark.parametrize(
    ("samples", "kills"),
    [([], KILLS), pytest.param(["--samples", "100"], 4, marks=pytest.mark.thorough)],
    ids=["whole", "a hundred"],
)
def test_killed_anywhere_and_run_again_equals_one_undisturbed_run(
    host: Loopback, tmp_path: Path, samples: list[str], kills: int
) -> None:
    with serve(host.folder) as quick:
        finish(start(quick, tmp_path / "calm", "words", *samples))
    expected = contents(tmp_path / "calm")
    assert len(expected["rows"]) == (100 if samples else 108)
    seeded = random.Random(20)
    killed, counts = 0, []
    store = tmp_path / "killed"
    size = (host.folder / URL[1:]).stat().st_size
    for share in [*sorted(seeded.random() for _ in range(kills - 2)), 0.0, 1.0]:
        # From the first moment of a pull on: by share of the archive, then at any moment of what follows.
        process = start(host, store, "words", *samples)
        killed += kill_once(process, lambda: host.sent(URL), share * size, later=seeded.uniform(0.0, 0.15))
        if (store / "samples/_delta_log").is_dir() and any((store / "runs/_delta_log").glob("*.json")):
            check_accounts(store)
            check_media(store)
            counts.append(int(one(store, "select count(*) from samples")))
    finish(start(host, store, "words", *samples))
    assert killed >= kills // 2
    assert counts == sorted(counts)
    check(store)
    found = contents(store)
    assert found["media"] == expected["media"]
    assert found["events"] == expected["events"]
    assert found["rows"] == expected["rows"]
    assert found["exports"] == expected["exports"]


def test_kills_between_commits_repeat_nothing_and_lose_nothing(host: Loopback, tmp_path: Path) -> None:
    """Killed as soon as the next batch is in: every kill lands between two commits."""
    store = tmp_path / "store"
    held = 0
    log = store / "samples/_delta_log"
    for _ in range(3):
        process = start(host, store, "words", "--samples", "100")
        kill_once(process, lambda: len(list(log.glob("*.json"))), held + 2)
        held = len(list(log.glob("*.json"))) - 1
        assert one(store, "select count(*) = count(distinct id) from samples")
    assert one(store, "select count(*) from samples") >= 20
    finish(start(host, store, "words", "--samples", "100"))
    assert one(store, "select count(*) from samples") == 100
    check(store)


@pytest.mark.parametrize("names", [("words", "words"), ("words", "more")])
def test_two_pulls_at_once(host: Loopback, tmp_path: Path, names: tuple[str, str]) -> None:
    store = tmp_path / "store"
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(finish, [start(host, store, name) for name in names]))
    counts = select(store, "select dataset, count(*) n, count(distinct id) ids from samples group by 1 order by 1")
    assert counts == [{"dataset": name, "n": 108, "ids": 108} for name in sorted(set(names))]
    assert one(store, "select sum(kept)::int from runs") == 108 * len(set(names))
    assert one(store, "select count(*) from events") == 12 * len(set(names))
    check(store)


def test_an_interrupt_keeps_what_was_read_and_says_how_to_go_on(host: Loopback, tmp_path: Path) -> None:
    host.clear()
    host.fault(URL, delay=0.02)
    process = start(host, tmp_path / "store", "words", "--samples", "100")
    log = tmp_path / "store/samples/_delta_log"
    while len(list(log.glob("*.json"))) < 2:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again" in errors
    assert 10 <= one(tmp_path / "store", "select count(*) from samples") < 100
    check(tmp_path / "store")
    details = json.loads(one(tmp_path / "store", "select details from runs"))
    assert details["exhausted"] == {}
    host.clear()
    finish(start(host, tmp_path / "store", "words", "--samples", "100"))
    assert one(tmp_path / "store", "select count(*) from samples") == 100
