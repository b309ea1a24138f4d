"""What a card names, opened from hosts, hubs and mirrors: tables, archives, joined parts and lists of URLs."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import triptych
import yaml
from corpora import noise
from hub import COMMIT, Hub, hub
from loopback import Loopback, serve
from natives import csv_bytes, packed, without_network
from stores import check_accounts, check_media, cli, command, media_files, select
from triptych.catalog.sources import hub as hub_module
from triptych.errors import DamagedError, NetworkError, TriptychError, UsageError

HEAD = """
name: {name}
title: Sounds
panel: S1
modality: audio
tasks: [asr]
languages: [en]
license: CC0-1.0
"""
READER = """
    reader:
      annotated:
        tables: [{{file: {table}}}]
        media: {{audio: "{{file}}"}}
        id: "{{file}}"
        columns: {{text: text}}
"""
COUNT = 8
Place = list[str | Path]


def names(count: int = COUNT, start: int = 0) -> list[str]:
    return [f"c{number:02d}.wav" for number in range(start, start + count)]


def table(count: int = COUNT, start: int = 0, word: str = "text") -> bytes:
    return csv_bytes([("file", "text"), *((name, f"{word} {name}") for name in names(count, start))])


def sounds(count: int = COUNT, start: int = 0) -> dict[str, bytes]:
    """Clips of 600 kB, which no compression makes smaller."""
    return {f"audio/{name}": noise(start + number, frames=300_000) for number, name in enumerate(names(count, start))}


def write_card(tmp_path: Path, source: str, *, name: str = "sounds", splits: str = "{train: train}",
               more: str = "", table: str = "table.csv", reader: str = READER) -> Path:  # fmt: skip
    cards = tmp_path / "cards"
    cards.mkdir(exist_ok=True)
    text = HEAD.format(name=name) + f"splits: {splits}\n{more}\nsources:\n  - {source}" + reader.format(table=table)
    (cards / f"{name}.yaml").write_text(text)
    return cards


def cut(data: bytes, pieces: int, prefix: str) -> dict[str, bytes]:
    size = -(-len(data) // pieces)
    return {f"{prefix}{number:02d}": data[number * size : (number + 1) * size] for number in range(pieces)}


def put(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def rows(store: Path, columns: str = "* exclude (pulled_at)") -> list[dict[str, Any]]:
    return select(store, f"select {columns} from samples order by id")


def check(store: Path) -> None:
    check_accounts(store)
    check_media(store)


@pytest.fixture
def at_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    import huggingface_hub.constants as constants

    with hub(tmp_path / "hub") as server:
        endpoint = server.url().rstrip("/")
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        yield server


@pytest.fixture
def env(at_hub: Hub, tmp_path: Path) -> dict[str, str]:
    return {"HF_ENDPOINT": at_hub.url().rstrip("/"), "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1"}


def on_hub(tmp_path: Path, files: dict[str, bytes]) -> None:
    put(tmp_path / "hub/team/sounds", files)


def at(name: str, revision: str = COMMIT) -> str:
    return f"/datasets/team/sounds/resolve/{revision}/{name}"


def hub_source(files: str, revision: str = COMMIT) -> str:
    return f"hub: team/sounds\n    revision: {revision}\n    files: {files}"


def pull(cards: Path, store: Path, samples: int | None = None, *, name: str = "sounds", **options: Any) -> Any:
    return triptych.pull(name, samples=samples, store=store, cards=(cards,), **options)


ZIP_FILES = "{train: [table.csv, audio.zip]}"
FORMS = {
    "zip": ("{train: [table.csv, audio.zip]}", "audio.zip", 0, ""),
    "tar": ("{train: [table.csv, audio.tar.gz]}", "audio.tar.gz", 0, ""),
    "joined zip": ('{train: [table.csv, {join: ["audio.zip.*"], as: audio.zip}]}', "audio.zip", 5, "audio.zip."),
    "joined tar": ('{train: [table.csv, {join: ["part*"], as: audio.tar}]}', "audio.tar", 5, "part"),
}


def laid_out(tmp_path: Path, form: str) -> tuple[str, int]:
    """Puts a form on the hub; its `files`, and the bytes of its archive."""
    files, name, pieces, prefix = FORMS[form]
    data = packed(tmp_path / "made" / name, sounds()).read_bytes()
    parts = cut(data, pieces, prefix) if pieces else {name: data}
    on_hub(tmp_path, {"table.csv": table(), **parts})
    return files, len(data)


def archive_bytes(server: Loopback) -> int:
    return sum(one.sent for one in server.requests if "/resolve/" in one.path and not one.path.endswith(".csv"))


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
    begun = time.monotonic()
    assert pull(cards, grown).source is None
    assert time.monotonic() - begun < 2
    assert not any("/resolve/" in one.path for one in at_hub.requests)
    pull(cards, single)
    for store in (grown, single):
        check(store)
        assert not list((store / "partial").rglob("data")) + list((store / "partial").rglob("audio*"))
    assert media_files(grown) == media_files(single)
    same = "* exclude (pulled_at, revision)"
    assert rows(grown, same) == rows(single, same)
    assert {row["revision"].split()[0] for row in rows(grown, "revision")} == {COMMIT}


@pytest.mark.parametrize("form", FORMS)
def test_killed_in_the_middle_it_comes_out_the_same(
    form: str, tmp_path: Path, at_hub: Hub, env: dict[str, str]
) -> None:
    files, _ = laid_out(tmp_path, form)
    cards = write_card(tmp_path, hub_source(files))
    killed, single = tmp_path / "killed", tmp_path / "single"
    for path in (tmp_path / "hub/team/sounds").iterdir():
        at_hub.fault(at(path.name), delay=0.004)
    for seconds in (1.2, 1.6):
        process = subprocess.Popen(
            command("catalog", "pull", "sounds", "--cards", cards, "--store", killed),
            env={**os.environ, **env}, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
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
    put(later, {"table.csv": table(word="later"), "audio.zip": packed(tmp_path / "l/audio.zip", sounds()).read_bytes()})
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
    put(host, {"x/table.csv": table(), "x/audio.tar": packed(tmp_path / "m/audio.tar", sounds()).read_bytes()})
    with serve(host) as server:
        cards = write_card(tmp_path, "archive: [https://x/table.csv, https://x/audio.tar]")
        store = tmp_path / "store"
        pull(cards, store, 2, mirror=server.url())
        put(
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


@pytest.mark.parametrize("form", FORMS)
def test_a_gap_among_the_parts_on_the_hub_is_named(form: str, tmp_path: Path, at_hub: Hub) -> None:
    if "joined" not in form:
        return
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


@pytest.mark.parametrize("samples", [None, 2])
@pytest.mark.parametrize("admits", [True, False])
@pytest.mark.parametrize("form", FORMS)
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


@pytest.mark.parametrize("form", FORMS)
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


LIST_READER = """
    reader:
      annotated:
        tables: []
        media: {{audio: "{{id}}.wav"}}
        id: "{{id}}"
"""


def list_card(tmp_path: Path) -> Path:
    return write_card(tmp_path, "archive: {list: https://x/files.txt}", reader=LIST_READER)


def test_a_list_of_urls_may_hold_blank_lines_spaces_and_brackets(tmp_path: Path) -> None:
    host = tmp_path / "host"
    wavs = {
        f"x/a b (1)/{name}": noise(number) for number, name in enumerate(["one.wav", "two [x].wav", "drei%20ü.wav"])
    }
    put(host, {**wavs, "x/a b (1)/drei ü.wav": noise(9)})
    lines = [
        "",
        "https://x/a b (1)/one.wav\r",
        "  https://x/a%20b%20(1)/two [x].wav  ",
        "",
        "https://x/a b (1)/drei%20ü.wav",
    ]
    put(host, {"x/files.txt": b"\xef\xbb\xbf" + "\n".join(lines).encode()})
    cards = list_card(tmp_path)
    with serve(host) as server:
        assert pull(cards, tmp_path / "remote", mirror=server.url()).stored == 3
    assert pull(cards, tmp_path / "local", mirror=str(host)).stored == 3
    for store in (tmp_path / "remote", tmp_path / "local"):
        check(store)
        assert [row["id"] for row in rows(store)] == [f"sounds/train/{name}" for name in ("drei ü", "one", "two [x]")]


@pytest.mark.parametrize("line", [
    "file:///etc/passwd", "/etc/passwd", "../a.wav", "a.wav", "https://", "ftp://x/a.wav", "javascript:alert(1)",
    "http://169.254.169.254/latest/meta-data/a.wav", "https://169.254.169.254/a.wav", "https://127.0.0.1/a.wav",
    "http://127.0.0.1:9/a.wav", "https://[::1]/a.wav", "https://[::1/a.wav", "https://10.0.0.1/a.wav", "https://localhost/a.wav",
    "http://other.example.org/a.wav",
])  # fmt: skip
def test_a_list_that_leads_elsewhere_is_refused_with_its_line(line: str, tmp_path: Path) -> None:
    put(tmp_path / "host", {"x/files.txt": f"https://x/a.wav\n{line}\n".encode(), "x/a.wav": noise(1)})
    cards = list_card(tmp_path)
    with pytest.raises(UsageError, match=r"files\.txt: line 2: "):
        pull(cards, tmp_path / "store", mirror=str(tmp_path / "host"))
    with pytest.raises(UsageError, match=r"files\.txt: line 2: "), serve(tmp_path / "host") as server:
        pull(cards, tmp_path / "store", mirror=server.url())
    assert rows(tmp_path / "store") == []


def test_an_empty_list_is_told(tmp_path: Path) -> None:
    put(tmp_path / "host", {"x/files.txt": b"\n\n"})
    with pytest.raises(NetworkError, match=r"files\.txt: nothing is listed there"):
        pull(list_card(tmp_path), tmp_path / "store", mirror=str(tmp_path / "host"))


def test_a_hundred_thousand_urls_are_no_burden(tmp_path: Path) -> None:
    lines = "".join(f"https://x/clips/{number:06d}.wav\n" for number in range(100_000))
    put(
        tmp_path / "host",
        {"x/files.txt": lines.encode(), "x/clips/000000.wav": noise(1), "x/clips/000001.wav": noise(2)},
    )
    cards = list_card(tmp_path)
    with serve(tmp_path / "host") as server:
        begun = time.monotonic()
        assert pull(cards, tmp_path / "store", 2, mirror=server.url()).stored == 2
        assert time.monotonic() - begun < 12
        assert len(server.requests) < 10


def test_two_files_of_one_name_have_each_its_own_sum(tmp_path: Path) -> None:
    """Two archives called `data.tar` in two folders."""
    first = packed(tmp_path / "m/1.tar", dict(list(sounds().items())[:4])).read_bytes()
    second = packed(tmp_path / "m/2.tar", dict(list(sounds().items())[4:])).read_bytes()
    host = tmp_path / "host"
    put(host, {"x/table.csv": table(), "x/1/data.tar": first, "x/2/data.tar": second})
    digest = hashlib.sha256(b"another").hexdigest()
    (host / "mirror.yaml").write_text(f"sha256: {{x/2/data.tar: {digest}}}\n")
    cards = write_card(tmp_path, "archive: [https://x/table.csv, https://x/1/data.tar, https://x/2/data.tar]")
    with pytest.raises(DamagedError, match=r"2/data\.tar"):
        pull(cards, tmp_path / "store", mirror=str(host))
    (host / "mirror.yaml").unlink()
    assert pull(cards, tmp_path / "store", mirror=str(host)).stored == COUNT
    found = {row["revision"] for row in rows(tmp_path / "store")}
    assert found == {f"sha256:{hashlib.sha256(data).hexdigest()}" for data in (first, second)}


# ---- mirrors


SPLITS = "{train: train, test: test}"


def split_mirror(tmp_path: Path) -> Path:
    host = tmp_path / "host"
    put(
        host,
        {
            "x/train.csv": table(4),
            "x/train.zip": packed(tmp_path / "m/train.zip", sounds(4)).read_bytes(),
            "x/test.csv": table(4, 4),
            "x/test.zip": packed(tmp_path / "m/test.zip", sounds(4, 4)).read_bytes(),
        },
    )
    return host


def split_card(tmp_path: Path) -> Path:
    return write_card(tmp_path, 'archive: ["https://x/{split}.csv", "https://x/{split}.zip"]', splits=SPLITS,
                      table='"{split}.csv"')  # fmt: skip


@pytest.mark.parametrize("base", [True, False])
def test_a_subset_mirror_passes_over_what_it_lacks(base: bool, tmp_path: Path) -> None:
    host = split_mirror(tmp_path)
    (host / "x/test.zip").unlink()
    sums = {
        path.relative_to(host).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (host / "x").iterdir()
    }
    (host / "mirror.yaml").write_text(yaml.safe_dump({"subset": True, "sha256": sums}))
    cards = split_card(tmp_path)
    with serve(host) as server:
        mirror = server.url() if base else str(host)
        result = pull(cards, tmp_path / "store", mirror=mirror)
        assert result.stored == 4
        assert any("the mirror holds a subset; passed over: test" in notice for notice in result.notices)
        with pytest.raises(NetworkError, match=r"test\.zip"):
            pull(cards, tmp_path / "store", split=("test",), mirror=mirror)


@pytest.mark.parametrize("samples", [None, 2])
@pytest.mark.parametrize("base", [True, False])
@pytest.mark.parametrize("name", ["train.csv", "train.zip"])
def test_a_mirror_whose_sum_is_wrong_stores_nothing_of_it(
    name: str, base: bool, samples: int | None, tmp_path: Path
) -> None:
    host = split_mirror(tmp_path)
    (host / "mirror.yaml").write_text(yaml.safe_dump({"sha256": {f"x/{name}": "a" * 64}}))
    cards = split_card(tmp_path)
    with serve(host) as server:
        mirror = server.url() if base else str(host)
        if base and samples and name.endswith("zip"):
            return  # By ranges: members have sums of their own, and the revision says so.
        with pytest.raises(DamagedError, match="SHA-256"):
            pull(cards, tmp_path / "store", samples, mirror=mirror)
    assert rows(tmp_path / "store") == []


# ---- what the user has


def tree_of(tmp_path: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(tmp_path.rglob("*"))}


def have(tmp_path: Path, form: str) -> Path:
    """What a user may have of a corpus of two splits with a zip each."""
    own = tmp_path / "own"
    host = split_mirror(tmp_path)
    own.mkdir()
    for split, start in (("train", 0), ("test", 4)):
        if form in ("downloads", "deep"):
            put(
                own / ("a/b" if form == "deep" else ""),
                {f"{split}.{end}": (host / f"x/{split}.{end}").read_bytes() for end in ("csv", "zip")},
            )
        else:
            put(
                own,
                {
                    f"{split}.csv": table(4, start),
                    **{f"{split}/{name}": data for name, data in sounds(4, start).items()},
                },
            )
    return own


@pytest.mark.parametrize("form", ["downloads", "deep", "unpacked"])
def test_what_the_user_has_is_read_without_a_network_and_left_as_it_is(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = have(tmp_path, form)
    cards = split_card(tmp_path)
    before = tree_of(own)
    without_network(monkeypatch)
    pull(cards, tmp_path / "store", from_path=own)
    check(tmp_path / "store")
    assert [row["id"] for row in rows(tmp_path / "store")] == [
        *(f"sounds/test/{name}" for name in names(4, 4)), *(f"sounds/train/{name}" for name in names(4))
    ]  # fmt: skip
    assert tree_of(own) == before
    assert pull(cards, tmp_path / "store", from_path=own).source is None
    assert pull(cards, tmp_path / "test", from_path=own, split=("test",)).stored == 4


def test_a_folder_with_nothing_of_the_corpus_is_told(tmp_path: Path) -> None:
    cards = split_card(tmp_path)
    (tmp_path / "empty").mkdir()
    put(tmp_path / "other", {"readme.txt": b"hello", "deep/x.bin": b"\0"})
    for given in ("empty", "other"):
        with pytest.raises(TriptychError) as told:
            pull(cards, tmp_path / "store", from_path=tmp_path / given)
        assert "nothing there is of sounds" in told.value.message
        assert "no file like {split}.csv came" in told.value.message
        assert told.value.exit_code == 2


def test_a_file_that_is_no_archive_is_told_by_what_it_begins_with(tmp_path: Path) -> None:
    put(tmp_path, {"notes.txt": b"hello"})
    store = tmp_path / "store"
    done = cli("catalog", "pull", "sounds", "--from", tmp_path / "notes.txt", "--cards", split_card(tmp_path),
               "--store", store)  # fmt: skip
    assert done.returncode == 4
    assert "notes.txt: it begins with b'hello', which is no tar" in done.stderr


BY_MAPPING = """archive:
      train: ["https://x/train.csv", "https://x/train.zip"]
      test: ["https://x/test.csv", "https://x/test.zip"]"""


@pytest.mark.parametrize("form", ["downloads", "deep", "unpacked"])
def test_a_folder_of_downloads_is_told_apart_by_the_names_on_the_card(form: str, tmp_path: Path) -> None:
    """Neither the tables nor the members say which split they are of: only the card's file names do."""
    own = have(tmp_path, form)
    cards = write_card(tmp_path, BY_MAPPING, splits=SPLITS, table='"*.csv"')
    pull(cards, tmp_path / "store", from_path=own)
    check(tmp_path / "store")
    assert [row["id"] for row in rows(tmp_path / "store")] == [
        *(f"sounds/test/{name}" for name in names(4, 4)), *(f"sounds/train/{name}" for name in names(4))
    ]  # fmt: skip


def test_one_archive_of_several_is_of_its_own_split(tmp_path: Path) -> None:
    """What is called as the card calls it is that split, whatever was asked for."""
    host = split_mirror(tmp_path)
    put(tmp_path / "one", {"train.csv": table(4), "train.zip": (host / "x/train.zip").read_bytes()})
    put(tmp_path / "two", {"train.csv": table(4), "train.zip": (host / "x/train.zip").read_bytes(),
                           "test.csv": table(4, 4), "test.zip": (host / "x/test.zip").read_bytes()})  # fmt: skip
    cards = write_card(tmp_path, BY_MAPPING, splits=SPLITS, table='"*.csv"')
    pull(cards, tmp_path / "store", from_path=tmp_path / "one")
    assert [row["id"] for row in rows(tmp_path / "store")] == [f"sounds/train/{name}" for name in names(4)]
    pull(cards, tmp_path / "test", from_path=tmp_path / "two", split=("test",))
    assert [row["id"] for row in rows(tmp_path / "test")] == [f"sounds/test/{name}" for name in names(4, 4)]
    assert {row["split"] for row in rows(tmp_path / "test")} == {"test"}


def test_joined_parts_of_a_folder_are_put_together(tmp_path: Path) -> None:
    data = packed(tmp_path / "m/audio.zip", sounds()).read_bytes()
    put(tmp_path / "own/deep", {"table.csv": table(), **cut(data, 12, "audio.zip.")})
    cards = write_card(tmp_path, 'archive: [https://x/table.csv, {join: ["https://x/audio.zip.*"], as: audio.zip}]')
    assert pull(cards, tmp_path / "store", from_path=tmp_path / "own").stored == COUNT
    check(tmp_path / "store")
    (tmp_path / "own/deep/audio.zip.05").unlink()
    assert any("audio.zip.05" in fault for fault in pull(cards, tmp_path / "other", from_path=tmp_path / "own").damaged)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "own", {"table.csv": table(3), "c00.wav": noise(1)})
    put(tmp_path / "secret", {"x.wav": noise(2)})
    (tmp_path / "own/c01.wav").symlink_to(tmp_path / "secret/x.wav")
    (tmp_path / "own/c02.wav").symlink_to(tmp_path / "own/c00.wav")
    cards = write_card(tmp_path, "archive: [https://x/table.csv, https://x/audio.zip]")
    pull(cards, tmp_path / "store", from_path=tmp_path / "own")
    assert [row["id"] for row in rows(tmp_path / "store")] == [
        f"sounds/train/{name}" for name in ("c00.wav", "c02.wav")
    ]
    assert {row["reason"] for row in select(tmp_path / "store", "select reason from events")} >= {"link"}
