"""`catalog fetch`: whole files into a mirror where there is internet, pulls from that mirror where there is none."""

from __future__ import annotations

import hashlib
from pathlib import Path

import yaml
from corpora import Utterance, archive, members
from hub import COMMIT, hub
from loopback import serve
from stores import cli, cli_json, select
from test_hub import CARD as HUB_CARD
from test_hub import parquet

SPOKEN = [Utterance("train", n) for n in range(6)] + [Utterance("test", n) for n in range(20, 23)]
CARD = """
name: words
title: Words
panel: S1
modality: audio
tasks: [asr]
languages: [en]
license: CC0-1.0
splits: {{train: train, test: test}}
sources:
  - archive: {base}words/{{split}}.tar.gz
    sha256: {{train: {train}, test: {test}}}
    reader:
      transcripts:
        media: "{{split}}/{{speaker}}/{{chapter_id}}/{{id}}.wav"
        transcripts: "{{split}}/{{speaker}}/{{chapter_id}}/*.trans.txt"
"""


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def served(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    for split in ("train", "test"):
        archive(folder / f"words/{split}.tar.gz", members([u for u in SPOKEN if u.split == split]))
    return folder


def write_card(tmp_path: Path, folder: Path, base: str) -> Path:
    cards = tmp_path / "cards"
    cards.mkdir()
    sums = {split: sha256(folder / f"words/{split}.tar.gz") for split in ("train", "test")}
    (cards / "words.yaml").write_text(CARD.format(base=base, **sums))
    return cards


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
        env = {"HF_ENDPOINT": server.url().rstrip("/"), "HF_HOME": str(tmp_path / "hf")}
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
    env = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": ""}
    done = cli("catalog", "fetch", "talks", "--to", tmp_path / "mirror", "--cards", cards, env=env)
    assert done.returncode == 3
    assert "the terms of the team" in done.stderr
