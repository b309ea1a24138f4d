"""Pulling real corpora from a mirror: by hub, by archive and from a tree the same samples come, and grow by pulls."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
import triptych
import yaml
from support.loopback import serve
from support.stores import check_accounts, check_media, cli, leftovers, media_files, one, select

pytestmark = pytest.mark.shared
ARCHIVE = "mirror/www.openslr.org/resources/12/test-other.tar.gz"
HUB = "huggingface.co/datasets/openslr/librispeech_asr/resolve/main/all/test.other/0000.parquet"


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, dict[str, Any]]:
    """Id -> what the manifest says, of the 70 utterances of test-other that the archive lists."""
    manifest = yaml.load((shared / "media/MANIFEST.yaml").read_text(), Loader=yaml.CSafeLoader)
    prefix = "librispeech/LibriSpeech/test-other/"
    facts = {Path(e["path"]).stem: e for e in manifest["files"] if e["path"].startswith(prefix)}
    with tarfile.open(shared / ARCHIVE) as tar:
        names = [Path(name).stem for name in tar.getnames() if name.endswith(".flac")]
    assert len(names) == 70
    return {name: facts[name] for name in names}


def matches(row: dict[str, Any], fact: dict[str, Any]) -> bool:
    return (
        row["text"] == fact["transcript"]
        and row["speaker"] == fact["speaker"]
        and row["audio"]["sha256"] == fact["sha256"]
        and row["audio"]["bytes"] == fact["bytes"]
        and row["audio"]["duration"] == pytest.approx(fact["decoded_s"], abs=1e-3)
        and (row["audio"]["codec"], row["audio"]["sample_rate"], row["audio"]["channels"]) == ("flac", 16_000, 1)
        and (row["split"], row["panel"], row["task"], row["language"]) == ("test-other", "S1", "asr", "en")
        and row["license"] == "CC-BY-4.0"
    )


WAYS: dict[str, dict[str, Any]] = {
    "hub": {"source": "hub", "mirror": "mirror"},
    "archive": {"source": "archive", "mirror": "mirror"},
    "the archive itself": {"from_path": ARCHIVE},
    "its tree": {"from_path": "tree"},
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_70_utterances_of_the_manifest(
    shared: Path, golden: dict[str, dict[str, Any]], tmp_path: Path, way: str
) -> None:
    options = dict(WAYS[way])
    if way == "its tree":
        with tarfile.open(shared / ARCHIVE) as tar:
            tar.extractall(tmp_path / "tree", filter="data")
        options["from_path"] = tmp_path / "tree"
    for key in ("mirror", "from_path"):
        if isinstance(options.get(key), str):
            options[key] = str(shared / options[key])
    store = tmp_path / "store"
    done = triptych.pull("librispeech", split="test-other", store=store, **options)
    assert (done.account.kept, done.account.candidates, done.complete) == (70, 70, True)
    rows = {row["id"].removeprefix("librispeech/test-other/"): row for row in select(store, "select * from samples")}
    assert rows.keys() == golden.keys()
    assert [name for name, row in rows.items() if not matches(row, golden[name])] == []
    check_accounts(store)
    check_media(store)
    assert leftovers(store) == []


def test_the_whole_native_tree_gives_what_the_manifest_lists(shared: Path, tmp_path: Path) -> None:
    manifest = yaml.load((shared / "media/MANIFEST.yaml").read_text(), Loader=yaml.CSafeLoader)
    prefix = "librispeech/LibriSpeech/"
    facts = {Path(e["path"]).stem: e for e in manifest["files"]
             if e["path"].startswith(prefix) and e["path"].endswith(".flac")}  # fmt: skip
    store = tmp_path / "store"
    done = triptych.pull("librispeech", from_path=shared / "media/librispeech/LibriSpeech", store=store)
    rows = {row["id"].rsplit("/", 1)[-1]: row for row in select(store, "select id, text, speaker, audio from samples")}
    assert rows.keys() | {row["c"] for row in select(store, "select candidate c from events")} >= facts.keys()
    assert done.account.kept == len(rows)
    wrong = [n for n, row in rows.items() if (row["text"], row["audio"]["sha256"]) !=
             (facts[n]["transcript"], facts[n]["sha256"])]  # fmt: skip
    assert wrong == []
    check_accounts(store)


@pytest.mark.parametrize("source", ["hub", "archive"])
def test_fifty_then_seventy_then_nothing(shared: Path, tmp_path: Path, source: str) -> None:
    store, mirror = tmp_path / "store", str(shared / "mirror")

    def pull(samples: int | None) -> Any:
        return triptych.pull(
            "librispeech", split="test-other", source=source, mirror=mirror, samples=samples, store=store
        )

    assert pull(50).stored == 50
    first = select(store, "select * from samples order by id")
    assert pull(70).stored == 70
    assert [row for row in select(store, "select * from samples order by id") if row in first] == first
    again = pull(70)
    assert (again.source, again.account.candidates) == (None, 0)
    versions = one(store, "select count(*) from runs")
    assert pull(None).stored == 70
    assert pull(None).account.candidates == 0
    assert one(store, "select count(*) from runs") <= versions + 1
    check_accounts(store)
    assert len(select(store, "select 1 from samples")) == 70


def test_pulling_what_is_there_opens_no_source(shared: Path, tmp_path: Path) -> None:
    with serve(shared / "mirror") as server:
        arguments = ["catalog", "pull", "librispeech", "--split", "test-other", "--mirror", server.url(""), "--store",
                     tmp_path / "store"]  # fmt: skip
        assert cli(*arguments).returncode == 0
        server.requests.clear()
        done = cli(*arguments)
        assert done.returncode == 0
        assert "nothing to fetch" in done.stdout
        assert [request.path for request in server.requests if request.path != "/mirror.yaml"] == []


def test_aishell_comes_without_spaces_and_keeps_its_raw_lines(shared: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    done = triptych.pull("aishell1", mirror=str(shared / "mirror"), store=store)
    assert (done.account.kept, done.account.dropped) == (25, {})
    with tarfile.open(shared / "mirror/www.openslr.org/resources/33/data_aishell.tgz") as tar:
        transcript = tar.extractfile("data_aishell/transcript/aishell_transcript_v0.8.txt")
        assert transcript is not None
        lines = dict(line.split(maxsplit=1) for line in transcript.read().decode().splitlines())
    manifest = yaml.load((shared / "media/MANIFEST.yaml").read_text(), Loader=yaml.CSafeLoader)
    facts = {Path(e["path"]).stem: e for e in manifest["files"] if e["path"].endswith(".wav")}
    for row in select(store, "select id, text, language, speaker, audio, extra['raw_text'] raw from samples"):
        name = row["id"].rsplit("/", 1)[-1]
        assert not re.search(r"[\u4e00-\u9fff] | [\u4e00-\u9fff]", row["text"])
        assert row["text"].replace(" ", "") == row["raw"].replace(" ", "")
        assert row["raw"] == lines[name].strip()
        assert (row["language"], row["speaker"]) == ("zh", name[6:11])
        assert row["audio"]["sha256"] == facts[name]["sha256"]
    check_media(store)


def test_a_split_the_mirror_of_a_subset_lacks_is_passed_over_unless_asked_for(shared: Path, tmp_path: Path) -> None:
    mirror = str(shared / "mirror")
    done = triptych.pull("librispeech", mirror=mirror, store=tmp_path / "store")
    splits = select(tmp_path / "store", "select split, count(*) n from samples group by 1")
    assert {row["split"]: row["n"] for row in splits} == {
        "train-clean-100": 1, "dev-clean": 2, "test-clean": 1, "test-other": 70,
    }  # fmt: skip
    assert any("skipped: train-clean-360, train-other-500, dev-other" in notice for notice in done.notices)
    asked = cli("catalog", "pull", "librispeech", "--split", "dev-other", "--mirror", mirror, "--store", tmp_path / "s")
    assert asked.returncode == 3
    assert "dev-other" in asked.stderr


def test_training_comes_first_where_no_split_is_asked_for(shared: Path, tmp_path: Path) -> None:
    triptych.pull("librispeech", samples=2, mirror=str(shared / "mirror"), store=tmp_path / "store")
    rows = select(tmp_path / "store", "select split from samples order by 1")
    assert [row["split"] for row in rows] == ["dev-clean", "train-clean-100"]


def test_the_next_source_is_tried_where_the_first_cannot_be_reached(shared: Path, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    (mirror / "www.openslr.org/resources/12").mkdir(parents=True)
    (mirror / "www.openslr.org/resources/12/test-clean.tar.gz").symlink_to("../../../x.tar.gz")
    (mirror / "x.tar.gz").write_bytes((shared / "mirror/www.openslr.org/resources/12/test-clean.tar.gz").read_bytes())
    sums = yaml.safe_load((shared / "mirror/mirror.yaml").read_text())["sha256"]
    key = "www.openslr.org/resources/12/test-clean.tar.gz"
    (mirror / "mirror.yaml").write_text(yaml.safe_dump({"sha256": {key: sums[key]}}))
    arguments = ["catalog", "pull", "librispeech", "--split", "test-clean", "--store", tmp_path / "store"]
    done = cli(*arguments, "--mirror", mirror)
    assert done.returncode == 0, done.stderr
    assert "Trying archive instead" in done.stderr
    assert "source: archive" in done.stdout
    # The source is sticky now: the hub of the full mirror is not asked, and gives nothing twice when it is.
    again = cli(*arguments, "--mirror", shared / "mirror")
    assert "hub" not in again.stdout + again.stderr
    other = cli(*arguments, "--mirror", shared / "mirror", "--source", "hub")
    assert "0 stored of 1 tried: 1 duplicate" in other.stdout
    check_accounts(tmp_path / "store")


def test_a_dry_run_says_what_would_be_read_and_stores_nothing(shared: Path, tmp_path: Path) -> None:
    arguments = [
        "--split",
        "test-other",
        "--samples",
        "5",
        "--mirror",
        shared / "mirror",
        "--store",
        tmp_path / "store",
    ]
    done = cli("catalog", "pull", "librispeech", "--source", "archive", "--dry-run", *arguments)
    assert done.returncode == 0
    assert "9.2 MB" in done.stdout
    assert "5 samples wanted, 0 stored" in done.stdout
    assert not (tmp_path / "store").exists()


def test_linked_media_of_a_tree_is_not_copied(shared: Path, tmp_path: Path) -> None:
    tree = shared / "media/librispeech/LibriSpeech"
    triptych.pull("librispeech", split="test-clean", from_path=tree, link=True, store=tmp_path / "store")
    [row] = select(tmp_path / "store", "select audio.path p from samples")
    assert Path(row["p"]).is_relative_to(tree.resolve())
    assert media_files(tmp_path / "store") == {}


def test_a_mirror_by_url_gives_what_the_folder_gives(shared: Path, tmp_path: Path) -> None:
    triptych.pull("librispeech", split="test-other", mirror=str(shared / "mirror"), store=tmp_path / "a")
    with serve(shared / "mirror") as server:
        triptych.pull("librispeech", split="test-other", mirror=server.url(""), store=tmp_path / "b")
        columns = "select * exclude (pulled_at, audio_file, video_file, image_file) from samples order by id"
        assert select(tmp_path / "a", columns) == select(tmp_path / "b", columns)
        few = triptych.pull("librispeech", split="test-other", samples=3, mirror=server.url(""), store=tmp_path / "c")
        assert few.stored == 3
    assert list((tmp_path / "b/partial").rglob("*.parquet")) == []


def test_a_wrong_sum_in_the_mirror_stores_nothing_and_exits_4(shared: Path, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    target = mirror / HUB
    target.parent.mkdir(parents=True)
    target.write_bytes((shared / "mirror" / HUB).read_bytes())
    (mirror / "mirror.yaml").write_text(yaml.safe_dump({"subset": True, "sha256": {HUB: "0" * 64}}))
    with serve(mirror) as server:
        for where in (mirror, server.url("")):
            done = cli("catalog", "pull", "librispeech", "--split", "test-other", "--mirror", where, "--store",
                       tmp_path / "store")  # fmt: skip
            assert done.returncode == 4
            assert "SHA-256 is 6f7e8965" in done.stderr
            assert one(tmp_path / "store", "select count(*) from samples") == 0
