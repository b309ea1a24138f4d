"""`store verify` and `exports verify` find every damaged byte, name it, and end with 4; lost media is stored again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import triptych
from support import imported
from support.stores import check_media, cli, cli_json, clip, ingest, one, select
from triptych.errors import DamagedError
from triptych.shards.care.verify import verify
from triptych.shards.store.store import Store

SETTINGS = ("store", "verify"), ("store", "status"), ("query", "select count(*) from samples"), ("store", "gc")


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pattern")
    path = imported.bring_in(folder / "store", "speech", imported.speech_rows(folder / "in", 3), folder)
    triptych.export("unified", store=path)
    return path


@pytest.fixture
def speech(pattern: Path, tmp_path: Path) -> Store:
    shutil.copytree(pattern, tmp_path / "store", symlinks=True)
    return Store.open(tmp_path / "store")


def flip(path: Path) -> Path:
    """Change one byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    return path


def media_of(store: Store, number: int) -> Path:
    return store.root / one(store, f"select audio.path from samples where id like '%utt00{number}'")


def exit_code(store: Store, *words: str) -> int:
    done = cli(*words, "--store", store.root)
    assert "Traceback" not in done.stderr
    return done.returncode


# ---- media


def test_a_whole_store_verifies(speech: Store) -> None:
    done = cli("store", "verify", "--store", speech.root)
    assert done.returncode == 0 and "3 media files and all tables and exports looked at: ok" in done.stdout


def test_every_kind_of_damage_to_media_is_named(speech: Store) -> None:
    paths = [media_of(speech, number) for number in range(3)]
    flip(paths[0])
    os.truncate(paths[1], 10)
    paths[2].unlink()
    found = verify(speech)
    assert {each.path: each.problem.split(":")[0] for each in found.media} == {
        path.relative_to(speech.root).as_posix(): problem
        for path, problem in zip(paths, ("damaged", "damaged", "missing"), strict=True)
    }
    assert len(verify(speech, quick=True).media) == 2
    assert exit_code(speech, "store", "verify") == 4


def test_an_export_verifies_the_bytes_of_its_media(pattern: Path, tmp_path: Path) -> None:
    path = imported.bring_in(tmp_path / "store", "speech", imported.speech_rows(tmp_path / "in", 2), tmp_path)
    triptych.export("unified", store=path)
    media = flip(media_of(Store.open(path), 0))
    [problem] = triptych.exports.verify(store=path)["unified@v1"]
    assert str(media) in problem and "its bytes have the SHA-256" in problem
    assert triptych.exports.verify(store=path, quick=True) == {"unified@v1": []}
    assert exit_code(Store.open(path), "exports", "verify") == 4
    os.truncate(media, 5)
    assert exit_code(Store.open(path), "exports", "verify", "--quick") == 4


def test_lost_media_is_taken_from_a_folder_whatever_its_names(speech: Store, pattern: Path, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    for number in range(2):
        shutil.copy(media_of(speech, number), copies / f"copy {number}")
    flip(media_of(speech, 0))
    media_of(speech, 1).unlink()
    found = cli_json("store", "verify", "--repair", "--from", copies, "--store", speech.root)
    assert len(found["repaired"]) == 2 and found["media"] == []
    check_media(speech)


def test_lost_media_of_an_import_is_imported_once_more(speech: Store, tmp_path: Path) -> None:
    media_of(speech, 1).unlink()
    assert len(triptych.store.verify(repair=True, store=speech.root).repaired) == 1
    check_media(speech)
    assert one(speech, "select count(*) from samples") == 3
    assert not list((speech.root / "partial").glob("repair-*"))


def test_what_cannot_be_found_again_stays_named(store: Store, tone: object) -> None:
    ingest(store, "d", [clip("a", tone())])  # type: ignore[operator]
    media = flip(next(store.media.files()))
    done = cli("store", "verify", "--repair", "--store", store.root)
    assert done.returncode == 4 and str(media.name) in done.stdout and "not fetched again" in done.stdout
    assert media.is_file()


def test_pull_and_validate_notice_media_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "store"
    triptych.pull("demo-speech", samples=2, store=path)
    triptych.validate(store=path)
    media = path / select(path, "select audio.path p from samples order by id")[0]["p"]
    kept = media.read_bytes()
    media.unlink()
    [found] = triptych.validate(store=path)
    assert found.reasons == {("missing_media", "reject"): 1} and found.measured == 1
    assert triptych.validate(store=path)[0].measured == 0
    result = triptych.pull("demo-speech", samples=2, store=path)
    assert media.read_bytes() == kept and "stored again" in result.notices[-1]
    assert triptych.validate(store=path)[0].rejected == 0
    media.write_bytes(kept[:1000])
    os.utime(media, (2**31, 2**31))
    assert triptych.validate(store=path)[0].measured == 1


# ---- tables


@pytest.mark.parametrize("damage", ["missing", "emptied", "truncated", "no log"])
def test_a_damaged_table_is_named_and_ends_with_4(speech: Store, damage: str) -> None:
    [file] = speech.live_files("samples")
    if damage == "missing":
        file.unlink()
    elif damage == "no log":
        shutil.rmtree(speech.root / "samples" / "_delta_log")
    else:
        os.truncate(file, 0 if damage == "emptied" else 100)
    for words in (*SETTINGS, ("store", "remove", "speech", "--dry-run"), ("export", "unified", "--name", "new")):
        done = cli(*words, "--store", speech.root)
        assert done.returncode == 4, (words, done.stderr + done.stdout)
        assert "samples" in done.stderr + done.stdout and "Traceback" not in done.stderr
    assert len(list(speech.media.files())) == 3


def test_a_flipped_byte_in_a_table_is_found(speech: Store) -> None:
    [file] = speech.live_files("samples")
    content = bytearray(file.read_bytes())
    content[20] ^= 0xFF
    file.write_bytes(content)
    assert exit_code(speech, "store", "verify") == 4


def test_a_lost_log_never_starts_an_empty_table(speech: Store) -> None:
    shutil.rmtree(speech.root / "runs" / "_delta_log")
    for work in (lambda: Store.create(speech.root), lambda: triptych.annotate("x", "text", "y", store=speech.root)):
        with pytest.raises(DamagedError, match="runs"):
            work()
    assert not (speech.root / "runs" / "_delta_log").exists()


def test_a_log_that_lost_its_last_commits_is_found(speech: Store) -> None:
    triptych.annotate("speech/train/utt000", "text", "better", store=speech.root)
    triptych.annotate("speech/train/utt001", "text", "better", store=speech.root)
    last = max((speech.root / "annotations" / "_delta_log").glob("*.json"))
    last.unlink()
    done = cli("store", "verify", "--store", speech.root)
    assert done.returncode == 4 and "annotations/_delta_log: ends with version 1, but a run has seen 2" in done.stdout


def test_gc_refuses_a_store_whose_log_names_a_missing_file(speech: Store) -> None:
    [file] = speech.live_files("samples")
    file.unlink()
    for path in speech.media.files():
        os.utime(path, (0, 0))
    done = cli("store", "gc", "--store", speech.root)
    assert done.returncode == 4 and str(file) in done.stderr
    assert len(list(speech.media.files())) == 3


def test_a_truncated_export_is_named_by_what_reads_it(speech: Store) -> None:
    data = speech.root / "exports" / "unified" / "v1" / "data.parquet"
    os.truncate(data, 200)
    removal, comparison = ("store", "remove", "speech", "--dry-run"), ("exports", "diff", "unified@v1", "unified@v1")
    explanation, garbage = ("explain", "speech/train/utt000"), ("store", "gc", "--dry-run")
    for words in (explanation, garbage, ("store", "verify"), removal, comparison):
        done = cli(*words, "--store", speech.root)
        assert done.returncode == 4 and "data.parquet" in done.stderr + done.stdout, (words, done.stderr)


def test_a_time_before_a_purge_is_told_as_purged(speech: Store) -> None:
    before = one(speech, "select run_id from runs where stage = 'import'")
    triptych.store.remove(where="id like '%utt000'", purge=True, store=speech.root)
    done = cli("query", "select count(*) from samples", "--at", before, "--store", speech.root)
    assert done.returncode == 4 and "purged" in done.stderr
