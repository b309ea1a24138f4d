"""What a card names on a hub, opened: tables, archives and joined parts; grown, killed, damaged, behind tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hub import COMMIT, Hub, hub
from support.loopback import Loopback, serve
from support.natives import packed, unpacked
from support.sounds import (
    COLUMNS,
    COUNT,
    FORMS,
    archive_bytes,
    at,
    check,
    configured,
    counts,
    hub_source,
    laid_out,
    names,
    pull,
    rows,
    sounds,
    spoken,
    table,
    write_card,
)
from support.stores import begin, media_files, select
from triptych.catalog.sources import hub as hub_module
from triptych.errors import NetworkError, UsageError


@pytest.fixture
def at_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub(tmp_path / "hub") as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url().rstrip("/"))
        yield server


def kept_before(server: Loopback, path: str) -> list[int]:
    """Where the requests for a file began, those of a single byte left out."""
    found = [one.headers.get("range", "bytes=0-") for one in server.seen(path, "GET")]
    spans = [each.removeprefix("bytes=").split("-") for each in found]
    return [int(start) for start, end in spans if start != end]


@pytest.mark.parametrize("form", FORMS)
def test_raw_files_of_a_hub_grow_as_one_pull(form: str, tmp_path: Path, at_hub: Hub) -> None:
    files, size = laid_out(tmp_path, form)
    cards = write_card(tmp_path, hub_source(files))
    grown, single = tmp_path / "grown", tmp_path / "single"
    assert pull(cards, grown, 2).stored == 2
    if "zip" in form:
        assert archive_bytes(at_hub) < size * 0.6
    assert pull(cards, grown, 5).stored == 5
    assert pull(cards, grown).stored == COUNT
    if "tar" in form:
        # What was kept is not asked for again: every request begins where the file here ended.
        for path in {one.path for one in at_hub.requests if "/resolve/" in one.path}:
            starts = kept_before(at_hub, path)
            assert starts == sorted(set(starts)), path
    at_hub.requests.clear()
    assert pull(cards, grown).source is None
    assert not any("/resolve/" in one.path for one in at_hub.requests)
    pull(cards, single)
    for store in (grown, single):
        check(store)
        assert not list((store / "partial").rglob("data")) + list((store / "partial").rglob("audio*"))
    assert media_files(grown) == media_files(single)
    same = "* exclude (pulled_at, revision, audio_file, video_file, image_file)"
    assert rows(grown, same) == rows(single, same)
    assert {row["revision"].split()[0] for row in rows(grown, "revision")} == {COMMIT}


@pytest.mark.parametrize("form", ["zip", pytest.param("joined tar", marks=pytest.mark.thorough)])
def test_killed_in_the_middle_it_comes_out_the_same(form: str, tmp_path: Path, at_hub: Hub) -> None:
    files, size = laid_out(tmp_path, form)
    cards = write_card(tmp_path, hub_source(files))
    killed, single = tmp_path / "killed", tmp_path / "single"
    for path in (tmp_path / "hub/team/sounds").iterdir():
        at_hub.fault(at(path.name), delay=0.004)
    process = begin("catalog", "pull", "sounds", "--cards", cards, "--store", killed)
    until = time.monotonic() + 30
    while archive_bytes(at_hub) < size / 2 and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert archive_bytes(at_hub) < size
    at_hub.faults.clear()
    assert pull(cards, killed).stored == COUNT
    pull(cards, single)
    check(killed)
    assert media_files(killed) == media_files(single)
    assert rows(killed) == rows(single)


LATER = "b" * 40


def test_a_branch_is_resolved_once_and_kept(tmp_path: Path, at_hub: Hub) -> None:
    files, _ = laid_out(tmp_path, "zip")
    cards = write_card(tmp_path, hub_source(files, "main"))
    store, other = tmp_path / "store", tmp_path / "other"
    assert pull(cards, store, 2).stored == 2
    later = at_hub.advance("team/sounds", LATER)
    audio = packed(tmp_path / "l/audio.zip", sounds()).read_bytes()
    unpacked(later, {"table.csv": table(word="later"), "audio.zip": audio})
    hub_module._listing.cache_clear()
    assert pull(cards, store).stored == COUNT
    assert all(row["revision"].startswith(COMMIT) for row in rows(store, "revision"))
    assert all(row["text"].startswith("text") for row in rows(store, "text"))
    details = [json.loads(row["details"]) for row in select(store, "select details from runs order by finished_at")]
    assert [each["revisions"] for each in details] == [{"team/sounds": COMMIT}] * 2
    assert pull(cards, other).stored == COUNT
    assert all(row["revision"].startswith(LATER) for row in rows(other, "revision"))


def test_a_table_that_changed_on_the_host_is_not_mixed_into_what_is_stored(tmp_path: Path) -> None:
    host = tmp_path / "host"
    unpacked(host, {"x/table.csv": table(), "x/audio.tar": packed(tmp_path / "m/audio.tar", sounds()).read_bytes()})
    with serve(host) as server:
        cards = write_card(tmp_path, "archive: [https://x/table.csv, https://x/audio.tar]")
        store = tmp_path / "store"
        pull(cards, store, 2, mirror=server.url())
        unpacked(
            host,
            {
                "x/table.csv": table(word="new"),
                "x/audio.tar": packed(tmp_path / "n/audio.tar", sounds(COUNT + 1)).read_bytes(),
            },
        )
        result = pull(cards, store, mirror=server.url())
    check(store)
    assert any("table.csv: the file on the host has changed" in each for each in result.notices)
    stored = {row["id"].rsplit("/", 1)[-1]: row["text"] for row in rows(store)}
    # The first two were stored when the host had the old files; what comes now is of the new ones alone.
    assert stored == {name: f"{'text' if name in names(2) else 'new'} {name}" for name in names()}


def test_a_part_that_is_missing_in_the_middle_is_named(tmp_path: Path, at_hub: Hub) -> None:
    files, _ = laid_out(tmp_path, "joined tar")
    cards = write_card(tmp_path, hub_source(files))
    at_hub.fault(at("part02"), status=404)
    with pytest.raises(NetworkError, match="part02"):
        pull(cards, tmp_path / "store")
    check(tmp_path / "store")
    at_hub.clear()
    assert pull(cards, tmp_path / "store").stored == COUNT
    check(tmp_path / "store")


@pytest.mark.parametrize("form", ["joined zip", "joined tar"])
def test_a_gap_among_the_parts_on_the_hub_is_named(form: str, tmp_path: Path, at_hub: Hub) -> None:
    files, _ = laid_out(tmp_path, form)
    gone = next(path for path in (tmp_path / "hub/team/sounds").iterdir() if path.name.endswith("02"))
    gone.unlink()
    cards = write_card(tmp_path, hub_source(files))
    result = pull(cards, tmp_path / "store")
    assert any(gone.name in fault for fault in result.damaged)


def test_a_busy_host_is_asked_again_for_a_table(tmp_path: Path, at_hub: Hub) -> None:
    files, _ = laid_out(tmp_path, "zip")
    cards = write_card(tmp_path, hub_source(files))
    at_hub.fault(at("table.csv"), status=429, retry_after="1", times=1)
    assert pull(cards, tmp_path / "store", 2).stored == 2
    assert [one.status for one in at_hub.seen(at("table.csv"), "GET")] == [429, 200]


@pytest.mark.parametrize(
    ("form", "admits", "samples"),
    [("zip", True, 2), ("zip", False, None), ("tar", False, 2), ("joined zip", False, 2), ("joined tar", True, None)],
)
def test_a_web_page_is_no_archive(form: str, admits: bool, samples: int | None, tmp_path: Path, at_hub: Hub) -> None:
    files, _ = laid_out(tmp_path, form)
    cards = write_card(tmp_path, hub_source(files))
    for path in (tmp_path / "hub/team/sounds").iterdir():
        if path.suffix != ".csv":
            at_hub.fault(at(path.name), html=True, html_type=admits)
    with pytest.raises(NetworkError, match="web page"):
        pull(cards, tmp_path / "store", samples)
    assert rows(tmp_path / "store") == []
    at_hub.clear()
    assert pull(cards, tmp_path / "store").stored == COUNT


@pytest.mark.parametrize("form", ["tar", "joined zip"])
def test_a_token_does_not_follow_a_redirect(
    form: str, tmp_path: Path, at_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, _ = laid_out(tmp_path, form)
    cards = write_card(tmp_path, hub_source(files))
    at_hub.gate("team/sounds", token="hf_secret")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serve(tmp_path / "hub/team/sounds") as cdn:
        for path in (tmp_path / "hub/team/sounds").iterdir():
            at_hub.fault(at(path.name), redirect=cdn.url(f"/{path.name}"))
        assert pull(cards, tmp_path / "store", 2).stored == 2
        assert pull(cards, tmp_path / "store").stored == COUNT
        assert all("authorization" not in one.headers for one in cdn.requests)
        assert cdn.requests
    assert any("authorization" in one.headers for one in at_hub.requests)


@pytest.mark.parametrize("form", ["zip", "joined zip"])
def test_a_zip_of_a_host_that_ignores_ranges_is_read_whole(form: str, tmp_path: Path, at_hub: Hub) -> None:
    files, _ = laid_out(tmp_path, form)
    cards = write_card(tmp_path, hub_source(files))
    for path in (tmp_path / "hub/team/sounds").iterdir():
        at_hub.fault(at(path.name), ignore_ranges=True)
    assert pull(cards, tmp_path / "store", 2).stored == 2
    assert pull(cards, tmp_path / "store", 5).stored == 5
    assert pull(cards, tmp_path / "store").stored == COUNT
    check(tmp_path / "store")


def test_a_damaged_archive_is_fetched_again_by_the_next_pull(tmp_path: Path, at_hub: Hub) -> None:
    files, size = laid_out(tmp_path, "tar")
    cards = write_card(tmp_path, hub_source(files))
    whole = (tmp_path / "hub/team/sounds/audio.tar.gz").read_bytes()
    at_hub.fault(at("audio.tar.gz"), content=whole[: size // 2])
    assert pull(cards, tmp_path / "store").damaged
    at_hub.clear()
    result = pull(cards, tmp_path / "store")
    assert (result.stored, result.damaged) == (COUNT, [])


def test_damaged_joined_parts_are_fetched_again_by_the_next_pull(tmp_path: Path, at_hub: Hub) -> None:
    files, _ = laid_out(tmp_path, "joined tar")
    cards = write_card(tmp_path, hub_source(files))
    at_hub.fault(at("part02"), content=b"x" * 20_000)
    for samples in (6, None):
        assert pull(cards, tmp_path / "store", samples).damaged
    at_hub.clear()
    result = pull(cards, tmp_path / "store", 6)
    assert (result.stored, result.damaged) == (6, [])


# ---- configurations


def test_configurations_are_pulled_in_the_order_of_the_card_and_counted_alone(tmp_path: Path, at_hub: Hub) -> None:
    cards, store = configured(tmp_path), tmp_path / "store"
    assert pull(cards, store, 6).stored == 6
    assert counts(store) == {"en/train": 4, "en/test": 2}
    assert pull(cards, store, 2, config=("fr",)).stored == 2
    assert pull(cards, store, 2, config=("fr",)).source is None
    assert counts(store) == {"en/train": 4, "en/test": 2, "fr/train": 2}
    assert pull(cards, store).stored == 16
    assert pull(cards, store, config=("fr", "de")).stored == 16
    assert counts(store) == {f"{config}/{split}": 4 for config in ("en", "de", "fr") for split in ("train", "test")}
    check(store)
    found = rows(store, "id, config, language, text")
    assert {(row["config"], row["language"]) for row in found} == {(each, each) for each in ("en", "de", "fr")}
    assert "sounds/de/test/s0" in [row["id"] for row in found]
    with pytest.raises(UsageError, match=r"no configuration 'xx'\. Configurations: en, de, fr"):
        pull(cards, store, config=("xx",))


def test_a_source_that_has_only_some_configurations_is_chosen_where_it_has_them(tmp_path: Path, at_hub: Hub) -> None:
    cards = configured(tmp_path)
    more = hub_source("{fr: {train: fr/train.parquet, test: fr/test.parquet}}").replace("team/sounds", "team/french")
    text = (cards / "sounds.yaml").read_text()
    head, sources = text.split("sources:\n")
    (cards / "sounds.yaml").write_text(f"{head}sources:\n  - {more}{COLUMNS.format()}{sources}")
    spoken(tmp_path / "hub/team/french/fr/train.parquet", "own train", 2)
    spoken(tmp_path / "hub/team/french/fr/test.parquet", "own test", 2)
    store = tmp_path / "store"
    assert pull(cards, store, config=("fr",)).stored == 4
    assert counts(store) == {"fr/train": 2, "fr/test": 2}
    assert pull(cards, store).stored == 16
    with pytest.raises(UsageError, match="it has hub:team/sounds"):
        pull(cards, store, config=("en",), source="hub:team/french")
