"""Published versions: listed, verified, compared, found again, moved; good ones and tampered ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import triptych
from support import imported
from support.stores import cli
from triptych.cli import app
from triptych.errors import DamagedError, ProblemsFound, UsageError
from triptych.shards.care.removal import remove
from triptych.shards.exports import copies
from triptych.shards.exports import versions as exports
from triptych.shards.exports.difference import Difference, diff
from triptych.shards.exports.versions import Version
from triptych.shards.store.store import Store
from typer.testing import CliRunner

SAME: dict[str, Any] = {"added": [], "removed": [], "changed": [], "fields": {}, "changes": []}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six utterances, exported twice as `speech`: v2 has one more row and one other text."""
    folder = tmp_path_factory.mktemp("published")
    path = imported.bring_in(folder / "store", "speech", imported.speech_rows(folder / "in", 5), folder)
    publish(path)
    imported.bring_in(path, "speech", imported.speech_rows(folder / "in", 1, start=5), folder)
    triptych.annotate("speech/train/utt000", "text", "corrected", store=path)
    publish(path)
    return path.rename(folder / "kept")


@pytest.fixture
def store(published: Path) -> Iterator[Store]:
    """That store, as it was published, where it was published: its rows name their media by absolute paths."""
    path = published.with_name("store")
    shutil.copytree(published, path)
    yield Store.open(path)
    shutil.rmtree(path, ignore_errors=True)  # a test may have moved it away
    shutil.rmtree(path.with_name("moved"), ignore_errors=True)


def publish(store: Path, **options: Any) -> Version:
    return triptych.export("msswift", task="sft", name="speech", store=store, **options).version


def command(store: Store, *words: str) -> tuple[int, Any]:
    """Exit code and JSON document of one command."""
    done = CliRunner().invoke(app, [*words, "--store", str(store.root), "--json"])
    if isinstance(done.exception, triptych.TriptychError):
        return done.exception.exit_code, done.exception.message
    return done.exit_code, json.loads(done.stdout)


def change(path: Path) -> None:
    """Change one byte of a file and leave its size."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def test_list_show_and_path_tell_what_there_is(store: Store) -> None:
    code, listed = command(store, "exports", "list")
    assert code == 0
    assert [(row["export"], row["rows"], row["datasets"]) for row in listed] == [
        ("speech@v1", 5, "speech"), ("speech@v2", 6, "speech"),
    ]  # fmt: skip
    assert command(store, "exports", "show", "speech@v1")[1]["rows"] == 5
    assert command(store, "exports", "path", "speech")[1] == {"path": f"{store.root}/exports/speech/v2/data.jsonl"}


@pytest.mark.parametrize("reference", ["nosuch", "speech@v9", "../speech", "speech@../v1", "@v1", ""])
def test_what_is_not_there_is_a_wrong_usage_that_lists_what_is(store: Store, reference: str) -> None:
    with pytest.raises(UsageError, match=r"Exports: speech|Versions: v1, v2"):
        exports.find(store, reference)


def test_good_versions_verify(store: Store) -> None:
    assert command(store, "exports", "verify") == (0, {"speech@v1": [], "speech@v2": []})


@pytest.mark.parametrize("name", ["data.jsonl", "data.parquet", "NOTICE"])
@pytest.mark.parametrize("tamper", [change, Path.unlink])
def test_a_changed_or_missing_file_is_found_and_exits_4(store: Store, name: str, tamper: Any) -> None:
    tamper(store.root / "exports/speech/v1" / name)
    code, found = command(store, "exports", "verify")
    assert code == 4 and found["speech@v2"] == []
    assert len(found["speech@v1"]) == 1 and name in found["speech@v1"][0]
    assert command(store, "exports", "verify", "speech@v2")[0] == 0


def test_missing_media_is_found(store: Store) -> None:
    media = Path(exports.media_paths(exports.find(store, "speech@v1"))[0])
    media.unlink()
    code, found = command(store, "exports", "verify", "speech@v1")
    assert code == 4 and found == {"speech@v1": [f"{media}: missing, but named in the export"]}


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"files": {}}', "\x00"])
def test_a_damaged_manifest_is_found_and_hides_no_other_version(store: Store, content: str) -> None:
    (store.root / "exports/speech/v1/manifest.json").write_text(content)
    code, found = command(store, "exports", "verify")
    assert code == 4 and found["speech@v2"] == [] and "manifest.json" in found["speech@v1"][0]
    assert command(store, "exports", "show", "speech@v1")[0] == 4


def test_diff_names_rows_that_came_went_and_changed(store: Store) -> None:
    code, found = command(store, "exports", "diff", "speech@v1", "speech@v2")
    assert (code, found["added"], found["removed"], found["changed"]) == (
        1, ["speech/train/utt005"], [], ["speech/train/utt000"],
    )  # fmt: skip
    assert command(store, "exports", "diff", "speech") == (code, found)
    assert sum(found["fields"].values()) == len(found["changes"]) >= 1
    for each in found["changes"]:
        rows = [
            next(row for row in imported.read_lines(exports.find(store, name).data) if row["id"] == each["id"])
            for name in ("speech@v1", "speech@v2")
        ]
        assert [each["old"], each["new"]] == [row.get(each["field"]) for row in rows]
    assert command(store, "exports", "diff", "speech@v2", "speech@v1")[1]["removed"] == ["speech/train/utt005"]
    assert command(store, "exports", "diff", "speech@v1", "speech@v1") == (0, SAME)
    assert command(store, "exports", "diff", "speech@v1")[0] == 2


def test_a_new_modality_changes_no_old_row(store: Store, tmp_path: Path) -> None:
    film = {"id": "film", "video": str(imported.video(tmp_path / "v.mp4")), "text": "x"}
    imported.bring_in(store.root, "films", [film], tmp_path)
    publish(store.root)
    assert command(store, "exports", "diff", "speech")[1] == {**SAME, "added": ["films/all/film"]}


def test_which_finds_the_version_of_a_copied_file(store: Store, tmp_path: Path) -> None:
    copy = tmp_path / "somewhere.jsonl"
    shutil.copyfile(exports.find(store, "speech@v1").data, copy)
    assert command(store, "exports", "which", str(copy)) == (0, ["speech@v1"])
    change(copy)
    assert command(store, "exports", "which", str(copy))[0] == ProblemsFound.exit_code
    assert command(store, "exports", "which", str(tmp_path / "nosuch"))[0] == UsageError.exit_code


def test_relocate_writes_the_same_rows_for_another_root_beside_the_version(store: Store) -> None:
    original = exports.find(store, "speech@v1")
    code, made = command(store, "exports", "relocate", "speech@v1", "--media-root", "/other/place/")
    assert code == 0 and command(store, "exports", "relocate", "speech@v1", "--media-root", "/other/place")[1] == made
    moved = exports.find(store, made["export"])
    assert moved.number == 1 and moved.path.parent == original.path.parent
    assert moved.manifest["content_sha256"] == original.manifest["content_sha256"]
    for before, after in zip(imported.read_lines(original.data), imported.read_lines(moved.data), strict=True):
        assert after.pop("audios") == [path.replace(str(store.root), "/other/place") for path in before.pop("audios")]
        assert after == before
    assert diff(original, moved) == Difference([], [], [])
    assert exports.find(store, "speech").label == "v2"
    with pytest.raises(UsageError, match="absolute"):
        copies.relocate(store, original, "relative")


def test_a_version_for_another_root_is_verified_against_the_media_of_the_store(store: Store) -> None:
    relocated = copies.relocate(store, exports.find(store, "speech@v1"), "/other/place")
    triptych.export("unified", name="there", media_root="/other/place", store=store.root)
    every = {"speech@v1": [], relocated.reference: [], "speech@v2": [], "there@v1": []}
    assert command(store, "exports", "verify") == (0, every)
    media = Path(exports.media_paths(exports.find(store, "speech@v1"))[0])
    media.unlink()
    gone = [f"{media}: missing, but named in the export"]
    assert command(store, "exports", "verify") == (4, dict.fromkeys(every, gone))


def test_a_version_that_names_a_store_that_was_moved_does_not_verify(store: Store) -> None:
    moved = Store.open(store.root.rename(store.root.with_name("moved")))
    code, found = command(moved, "exports", "verify", "speech@v1")
    assert code == 4 and len(found["speech@v1"]) == 5
    told = cli("exports", "verify", "speech@v1", "--store", moved.root).stdout
    assert told.endswith(f"  next: triptych exports relocate speech@v1 --media-root {moved.root}\n")


def test_pack_copies_a_version_with_just_its_media(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "pack"
    code, packed = command(store, "exports", "pack", "speech@v1", "--to", str(target))
    assert code == 0 and packed["rows"] == 5 and packed["media"]["files"] == 5
    rows = list(imported.read_lines(target / "data.jsonl"))
    originals = list(imported.read_lines(exports.find(store, "speech@v1").data))
    for row, original in zip(rows, originals, strict=True):
        (path,) = row["audios"]
        assert path.startswith(f"{target}/media/")
        assert Path(path).read_bytes() == Path(original["audios"][0]).read_bytes()
    assert len([path for path in (target / "media").rglob("*") if path.is_file()]) == 5
    assert pq.read_table(target / "data.parquet").num_rows == 5
    assert command(store, "exports", "pack", "speech@v1", "--to", str(target))[0] == 2
    told = cli(
        "exports", "pack", "speech@v1", "--to", tmp_path / "there", "--media-root", "/data", "--store", store.root
    )
    assert "media under /data/: the folder has to lie there" in told.stdout
    moved = target.rename(tmp_path / "moved")
    for root, place in ((str(moved), f"{moved}/media/"), (".", "./media/"), (str(moved), f"{moved}/media/")):
        relocated = triptych.exports.relocate(str(moved), root)
        assert all(row["audios"][0].startswith(place) for row in imported.read_lines(moved / "data.jsonl"))
        assert relocated.manifest["content_sha256"] == exports.find(store, "speech@v1").manifest["content_sha256"]
        assert relocated.manifest == json.loads((moved / "manifest.json").read_text(encoding="utf-8"))
    with pytest.raises(UsageError, match="not a folder that `exports pack` made"):
        triptych.exports.relocate(str(tmp_path), "/data")
    (store.root / "exports/speech/v2/data.parquet").unlink()
    with pytest.raises(DamagedError):
        copies.pack(exports.find(store, "speech@v2"), tmp_path / "other")


def test_a_pack_of_linked_media_is_refused(tmp_path: Path) -> None:
    given = imported.speech_rows(tmp_path / "in", 1)
    path = imported.bring_in(tmp_path / "store", "speech", given, tmp_path, link=True)
    with pytest.raises(UsageError, match="linked, not copied"):
        copies.pack(publish(path), tmp_path / "pack")


def test_a_withdrawn_version_keeps_its_manifest_and_gives_no_rows(store: Store, tmp_path: Path) -> None:
    remove(store, dataset="speech", where="speaker = 'nobody' or id like '%utt003'", purge=True)
    assert command(store, "exports", "show", "speech@v1")[1]["withdrawn"]
    assert command(store, "exports", "verify") == (0, {"speech@v1": [], "speech@v2": []})
    for words in (
        ["path", "speech@v1"], ["relocate", "speech@v1", "--media-root", "/m"],
        ["pack", "speech@v1", "--to", str(tmp_path / "p")], ["diff", "speech@v1", "speech@v2"],
    ):  # fmt: skip
        code, said = command(store, "exports", *words)
        assert code == 2 and "withdrawn" in said
    with pytest.raises(UsageError, match="withdrawn"):
        triptych.open_export("speech@v1", store=store.root)
    assert publish(store.root).label == "v3"
