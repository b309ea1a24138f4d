"""`catalog fetch`: whole files into a mirror where there is internet, pulls from that mirror where there is none."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

import pytest
import yaml
from support.cards import head, put_card
from support.corpora import READER, Utterance, archive, members
from support.hub import COMMIT, hub
from support.loopback import Loopback, serve
from support.stores import begin, cli, cli_json, select
from support.talks import CARD as HUB_CARD
from support.talks import parquet
from triptych.catalog.fetch import fetch
from triptych.catalog.pull.options import PullOptions
from triptych.errors import UsageError

SPOKEN = [Utterance("train", n) for n in range(6)] + [Utterance("test", n) for n in range(20, 23)]
SOURCES = """
sources:
  - archive: {base}words/{{split}}.tar.gz
    sha256: {{train: {train}, test: {test}}}
"""


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def served(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    for split in ("train", "test"):
        archive(folder / f"words/{split}.tar.gz", members([u for u in SPOKEN if u.split == split]))
    return folder


def write_card(tmp_path: Path, folder: Path, base: str) -> Path:
    sums = {split: sha256(folder / f"words/{split}.tar.gz") for split in ("train", "test")}
    about = head("words", splits="{train: train, test: test}")
    return put_card(tmp_path / "cards", "words", about + SOURCES.format(base=base, **sums) + READER)


def test_what_was_fetched_is_pulled_without_the_host(tmp_path: Path) -> None:
    folder = served(tmp_path)
    with serve(folder) as host:
        cards = write_card(tmp_path, folder, host.url("/"))
        first = cli_json("catalog", "fetch", "words", "--to", tmp_path / "mirror", "--cards", cards)
        assert (first[0]["fetched"], len(first[0]["files"])) == (2, 2)
        asked = len(host.requests)
        again = cli_json("catalog", "fetch", "words", "--to", tmp_path / "mirror", "--cards", cards)
        assert again[0]["fetched"] == 0
        assert len(host.requests) == asked
    listing = yaml.safe_load((tmp_path / "mirror" / "mirror.yaml").read_text())
    assert listing["sha256"] == {key: sha256(folder / key.split("/", 1)[1]) for key in first[0]["files"]}
    assert not (tmp_path / "mirror" / ".partial").exists()

    done = cli_json("catalog", "pull", "words", "--mirror", tmp_path / "mirror", "--cards", cards,
                    "--store", tmp_path / "store")  # fmt: skip
    assert done["account"]["kept"] == len(SPOKEN)
    rows = select(tmp_path / "store", "select id, text from samples order by id")
    assert [(row["id"], row["text"]) for row in rows] == sorted(
        (f"words/{spoken.split}/{spoken.name}", spoken.text) for spoken in SPOKEN
    )


def test_a_split_is_fetched_alone_and_the_rest_later(tmp_path: Path) -> None:
    folder = served(tmp_path)
    with serve(folder) as host:
        cards = write_card(tmp_path, folder, host.url("/"))
        cli_json("catalog", "fetch", "words", "--split", "test", "--to", tmp_path / "mirror", "--cards", cards)
        assert [path.name for path in (tmp_path / "mirror").rglob("*.tar.gz")] == ["test.tar.gz"]
        later = cli_json("catalog", "fetch", "words", "--to", tmp_path / "mirror", "--cards", cards)
    assert later[0]["fetched"] == 1
    assert len(yaml.safe_load((tmp_path / "mirror" / "mirror.yaml").read_text())["sha256"]) == 2


def test_a_file_with_another_sum_is_not_taken(tmp_path: Path) -> None:
    folder = served(tmp_path)
    with serve(folder) as host:
        cards = write_card(tmp_path, folder, host.url("/"))
        (folder / "words/test.tar.gz").write_bytes(b"another")
        done = cli("catalog", "fetch", "words", "--split", "test", "--to", tmp_path / "mirror", "--cards", cards)
    assert done.returncode == 4
    assert "sha256" in done.stderr.lower() or "SHA-256" in done.stderr
    assert not list((tmp_path / "mirror").rglob("*.tar.gz"))


def test_the_urls_are_printed_for_a_download_tool(tmp_path: Path) -> None:
    folder = served(tmp_path)
    with serve(folder) as host:
        cards = write_card(tmp_path, folder, host.url("/"))
        done = cli("catalog", "fetch", "words", "--urls", "--cards", cards)
        assert done.stdout.split() == [host.url("/words/train.tar.gz"), host.url("/words/test.tar.gz")]
        listed = cli_json("catalog", "fetch", "words", "--urls", "--cards", cards)
        assert host.requests == []
    assert listed[0]["sha256"] == sha256(folder / "words/train.tar.gz")


def test_either_a_mirror_or_a_list_is_asked_for(tmp_path: Path) -> None:
    done = cli("catalog", "fetch", "librispeech")
    assert (done.returncode, "--to MIRROR" in done.stderr) == (2, True)


def test_a_branch_of_the_hub_is_fetched_at_its_commit_and_pulled_at_it(tmp_path: Path, tone) -> None:  # type: ignore[no-untyped-def]
    parquet(tmp_path / "hub/team/talks/data/train/0.parquet", range(6), tone, group=5)
    parquet(tmp_path / "hub/team/talks/data/test/0.parquet", range(3), tone, group=5)
    cards = tmp_path / "cards"
    cards.mkdir()
    (cards / "talks.yaml").write_text(HUB_CARD.replace(f"revision: {COMMIT}", "revision: main"))
    with hub(tmp_path / "hub") as server:
        env = {"HF_ENDPOINT": server.url().rstrip("/")}
        cli_json("catalog", "fetch", "talks", "--to", tmp_path / "mirror", "--cards", cards, env=env)
    at = tmp_path / f"mirror/huggingface.co/datasets/team/talks/resolve/{COMMIT}"
    assert sorted(path.relative_to(at).as_posix() for path in at.rglob("*.parquet")) == [
        "data/test/0.parquet", "data/train/0.parquet"
    ]  # fmt: skip
    done = cli_json("catalog", "pull", "talks", "--mirror", tmp_path / "mirror", "--cards", cards,
                    "--store", tmp_path / "store")  # fmt: skip
    assert done["account"]["kept"] == 9
    revisions = select(tmp_path / "store", "select distinct revision from samples")
    assert all(row["revision"].startswith(COMMIT) for row in revisions)


def test_a_gate_ends_a_fetch_before_any_work(tmp_path: Path) -> None:
    cards = tmp_path / "cards"
    cards.mkdir()
    gate = "gate: {accept: the terms of the team, where: https://example.org/talks}\n"
    (cards / "talks.yaml").write_text(HUB_CARD + gate)
    env = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": ""}
    done = cli("catalog", "fetch", "talks", "--to", tmp_path / "mirror", "--cards", cards, env=env)
    assert done.returncode == 3
    assert "the terms of the team" in done.stderr


def test_a_file_that_was_damaged_in_the_mirror_is_told_and_fetched_again(tmp_path: Path) -> None:
    folder = served(tmp_path)
    mirror = tmp_path / "mirror"
    with serve(folder) as host:
        cards = write_card(tmp_path, folder, host.url("/"))
        cli_json("catalog", "fetch", "words", "--to", mirror, "--cards", cards)
        [damaged] = mirror.rglob("test.tar.gz")
        damaged.write_bytes(damaged.read_bytes()[:-100] + bytes(100))
        told = cli("catalog", "pull", "words", "--mirror", mirror, "--cards", cards, "--store", tmp_path / "store")
        assert told.returncode == 4
        assert str(damaged) in told.stderr
        assert "Fetch the file again" in told.stderr
        again = cli_json("catalog", "fetch", "words", "--to", mirror, "--cards", cards)
    assert again[0]["fetched"] == 1
    assert sha256(damaged) == sha256(folder / "words/test.tar.gz")


def slow(host: Loopback) -> None:
    for split in ("train", "test"):
        host.fault(f"/words/{split}.tar.gz", delay=0.3)


def test_two_fetches_into_one_mirror_bring_each_file_once(tmp_path: Path) -> None:
    folder = served(tmp_path)
    mirror = tmp_path / "mirror"
    with serve(folder) as host:
        cards = write_card(tmp_path, folder, host.url("/"))
        slow(host)
        running = [begin("catalog", "fetch", "words", "--to", mirror, "--cards", cards) for _ in range(2)]
        assert [process.wait(60) for process in running] == [0, 0]
        sizes = {split: (folder / f"words/{split}.tar.gz").stat().st_size for split in ("train", "test")}
        assert {split: host.sent(f"/words/{split}.tar.gz") for split in sizes} == sizes
    listing = yaml.safe_load((mirror / "mirror.yaml").read_text())
    assert listing["sha256"] == {key: sha256(folder / key.split("/", 1)[1]) for key in listing["sha256"]}
    assert len(listing["sha256"]) == 2
    assert not (mirror / ".partial").exists()


def test_a_killed_fetch_goes_on_where_it_was(tmp_path: Path) -> None:
    folder = served(tmp_path)
    mirror = tmp_path / "mirror"
    with serve(folder) as host:
        cards = write_card(tmp_path, folder, host.url("/"))
        host.fault("/words/test.tar.gz", delay=0.3, times=1)
        process = begin("catalog", "fetch", "words", "--to", mirror, "--cards", cards)
        until = time.monotonic() + 30
        while not host.sent("/words/test.tar.gz") and time.monotonic() < until:
            time.sleep(0.02)
        process.kill()
        process.wait()
        assert not (mirror / "mirror.yaml").exists()
        train = host.sent("/words/train.tar.gz")
        done = cli_json("catalog", "fetch", "words", "--to", mirror, "--cards", cards)
        assert done[0]["fetched"] == 1
        assert host.sent("/words/train.tar.gz") == train
    listing = yaml.safe_load((mirror / "mirror.yaml").read_text())
    assert len(listing["sha256"]) == 2


def test_a_fetch_killed_while_it_lists_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, mirror = served(tmp_path), tmp_path / "mirror"
    real = Path.replace

    def die(path: Path, target: Path) -> Path:
        if ".mirror.yaml" in path.name:
            raise KeyboardInterrupt
        return real(path, target)

    with serve(folder) as host:
        options = PullOptions(cards=(write_card(tmp_path, folder, host.url("/")),))
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(os, "getpid", lambda: 4711)
            patch.setattr(Path, "replace", die)
            fetch("words", to=mirror, options=options)
        assert fetch("words", to=mirror, options=options).fetched == 0
    assert {path.name for path in mirror.glob(".*")} == {".lock", ".lock.listing"}


def test_a_mirror_without_room_is_told_and_nothing_half_lies_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = served(tmp_path)
    with serve(folder) as host:
        cards = write_card(tmp_path, folder, host.url("/"))
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 90, 10))  # type: ignore[attr-defined]
        with pytest.raises(UsageError, match="only 10 are free"):
            fetch("words", to=tmp_path / "mirror", options=PullOptions(cards=(cards,)))
        assert not list((tmp_path / "mirror").rglob("*.gz"))
        monkeypatch.undo()
        assert fetch("words", to=tmp_path / "mirror", options=PullOptions(cards=(cards,))).fetched == 2


def test_a_dataset_that_does_not_exist_leaves_no_folder(tmp_path: Path) -> None:
    done = cli("catalog", "fetch", "nothing", "--to", tmp_path / "mirror")
    assert done.returncode == 2
    assert not (tmp_path / "mirror").exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = served(tmp_path)
    with serve(folder) as host:
        cards = write_card(tmp_path, folder, host.url("/"))
        done = cli("catalog", "fetch", "words", "--to", tmp_path / "file/mirror", "--cards", cards)
    assert done.returncode == 2
    assert "cannot create the folder" in done.stderr
    assert str(tmp_path / "file") in done.stderr


LISTED = """
evaluation:
  small: {{url: "{base}eval.jsonl", audio: "{{id}}.wav", sha256: {rows}}}
sources:
  - archive: {{train: {{list: {base}words/parts.txt}}}}
    sha256: {{train: {train}}}
"""


def test_lists_of_urls_and_evaluation_lists_are_fetched_too(tmp_path: Path) -> None:
    folder = tmp_path / "served"
    archive(folder / "words/train.tar.gz", members(SPOKEN[:6]))
    (folder / "eval.jsonl").write_text("")
    with serve(folder) as host:
        (folder / "words/parts.txt").write_text(f"\n{host.url('/words/train.tar.gz')}\n")
        train, rows = sha256(folder / "words/train.tar.gz"), sha256(folder / "eval.jsonl")
        sources = LISTED.format(base=host.url("/"), train=train, rows=rows)
        put_card(tmp_path / "cards", "words", head("words") + sources + READER)
        done = cli_json("catalog", "fetch", "words", "--to", tmp_path / "mirror", "--cards", tmp_path / "cards")
    assert [key.split("/", 1)[1] for key in done[0]["files"]] == ["words/parts.txt", "words/train.tar.gz", "eval.jsonl"]
    stored = cli_json("catalog", "pull", "words", "--mirror", tmp_path / "mirror", "--cards", tmp_path / "cards",
                      "--store", tmp_path / "store")  # fmt: skip
    assert stored["stored"] == 6
