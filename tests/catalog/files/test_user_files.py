"""Lists of URLs, mirrors, and what the user already has, opened by the names on a card."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml
from support.corpora import noise
from support.loopback import serve
from support.natives import packed, unpacked
from support.pulls import without_network
from support.sounds import COUNT, SPLITS, check, configured, counts, cut, names, pull, rows, sounds, table, write_card
from support.stores import cli, select
from triptych.errors import DamagedError, NetworkError, TriptychError, UsageError

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
    unpacked(host, {**wavs, "x/a b (1)/drei ü.wav": noise(9)})
    lines = [
        "",
        "https://x/a b (1)/one.wav\r",
        "  https://x/a%20b%20(1)/two [x].wav  ",
        "",
        "https://x/a b (1)/drei%20ü.wav",
    ]
    unpacked(host, {"x/files.txt": b"\xef\xbb\xbf" + "\n".join(lines).encode()})
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
    unpacked(tmp_path / "host", {"x/files.txt": f"https://x/a.wav\n{line}\n".encode(), "x/a.wav": noise(1)})
    cards = list_card(tmp_path)
    with pytest.raises(UsageError, match=r"files\.txt: line 2: "):
        pull(cards, tmp_path / "store", mirror=str(tmp_path / "host"))
    with pytest.raises(UsageError, match=r"files\.txt: line 2: "), serve(tmp_path / "host") as server:
        pull(cards, tmp_path / "store", mirror=server.url())
    assert rows(tmp_path / "store") == []


def test_an_empty_list_is_told(tmp_path: Path) -> None:
    unpacked(tmp_path / "host", {"x/files.txt": b"\n\n"})
    with pytest.raises(NetworkError, match=r"files\.txt: the list is empty"):
        pull(list_card(tmp_path), tmp_path / "store", mirror=str(tmp_path / "host"))


@pytest.mark.thorough
def test_a_hundred_thousand_urls_are_no_burden(tmp_path: Path) -> None:
    lines = "".join(f"https://x/clips/{number:06d}.wav\n" for number in range(100_000))
    unpacked(
        tmp_path / "host",
        {"x/files.txt": lines.encode(), "x/clips/000000.wav": noise(1), "x/clips/000001.wav": noise(2)},
    )
    cards = list_card(tmp_path)
    with serve(tmp_path / "host") as server:
        assert pull(cards, tmp_path / "store", 2, mirror=server.url()).stored == 2
        assert len(server.requests) < 10


def test_two_files_of_one_name_have_each_its_own_sum(tmp_path: Path) -> None:
    """Two archives called `data.tar` in two folders."""
    first = packed(tmp_path / "m/1.tar", dict(list(sounds().items())[:4])).read_bytes()
    second = packed(tmp_path / "m/2.tar", dict(list(sounds().items())[4:])).read_bytes()
    host = tmp_path / "host"
    unpacked(host, {"x/table.csv": table(), "x/1/data.tar": first, "x/2/data.tar": second})
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


def split_mirror(tmp_path: Path) -> Path:
    host = tmp_path / "host"
    unpacked(
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
        assert any("the mirror has only a subset; skipped: test" in notice for notice in result.notices)
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
            unpacked(
                own / ("a/b" if form == "deep" else ""),
                {f"{split}.{end}": (host / f"x/{split}.{end}").read_bytes() for end in ("csv", "zip")},
            )
        else:
            unpacked(
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
    unpacked(tmp_path / "other", {"readme.txt": b"hello", "deep/x.bin": b"\0"})
    for given in ("empty", "other"):
        with pytest.raises(TriptychError) as told:
            pull(cards, tmp_path / "store", from_path=tmp_path / given)
        assert "found no files of sounds" in told.value.message
        assert "no file matches {split}.csv" in told.value.message
        assert told.value.exit_code == 2


def test_a_file_that_is_no_archive_is_told_by_what_it_begins_with(tmp_path: Path) -> None:
    unpacked(tmp_path, {"notes.txt": b"hello"})
    store = tmp_path / "store"
    done = cli("catalog", "pull", "sounds", "--from", tmp_path / "notes.txt", "--cards", split_card(tmp_path),
               "--store", store)  # fmt: skip
    assert done.returncode == 4
    assert "notes.txt: it begins with b'hello', which is not tar" in done.stderr


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
    unpacked(tmp_path / "one", {"train.csv": table(4), "train.zip": (host / "x/train.zip").read_bytes()})
    unpacked(tmp_path / "two", {"train.csv": table(4), "train.zip": (host / "x/train.zip").read_bytes(),
                           "test.csv": table(4, 4), "test.zip": (host / "x/test.zip").read_bytes()})  # fmt: skip
    cards = write_card(tmp_path, BY_MAPPING, splits=SPLITS, table='"*.csv"')
    pull(cards, tmp_path / "store", from_path=tmp_path / "one")
    assert [row["id"] for row in rows(tmp_path / "store")] == [f"sounds/train/{name}" for name in names(4)]
    pull(cards, tmp_path / "test", from_path=tmp_path / "two", split=("test",))
    assert [row["id"] for row in rows(tmp_path / "test")] == [f"sounds/test/{name}" for name in names(4, 4)]
    assert {row["split"] for row in rows(tmp_path / "test")} == {"test"}


def test_joined_parts_of_a_folder_are_put_together(tmp_path: Path) -> None:
    data = packed(tmp_path / "m/audio.zip", sounds()).read_bytes()
    unpacked(tmp_path / "own/deep", {"table.csv": table(), **cut(data, 12, "audio.zip.")})
    cards = write_card(tmp_path, 'archive: [https://x/table.csv, {join: ["https://x/audio.zip.*"], as: audio.zip}]')
    assert pull(cards, tmp_path / "store", from_path=tmp_path / "own").stored == COUNT
    check(tmp_path / "store")
    (tmp_path / "own/deep/audio.zip.05").unlink()
    assert any("audio.zip.05" in fault for fault in pull(cards, tmp_path / "other", from_path=tmp_path / "own").damaged)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    unpacked(tmp_path / "own", {"table.csv": table(3), "c00.wav": noise(1)})
    unpacked(tmp_path / "secret", {"x.wav": noise(2)})
    (tmp_path / "own/c01.wav").symlink_to(tmp_path / "secret/x.wav")
    (tmp_path / "own/c02.wav").symlink_to(tmp_path / "own/c00.wav")
    cards = write_card(tmp_path, "archive: [https://x/table.csv, https://x/audio.zip]")
    pull(cards, tmp_path / "store", from_path=tmp_path / "own")
    assert [row["id"] for row in rows(tmp_path / "store")] == [
        f"sounds/train/{name}" for name in ("c00.wav", "c02.wav")
    ]
    assert {row["reason"] for row in select(tmp_path / "store", "select reason from events")} >= {"outside"}


def test_configurations_of_a_folder_are_told_by_their_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cards, store = configured(tmp_path), tmp_path / "store"
    own = tmp_path / "hub/team/sounds"
    without_network(monkeypatch)
    assert pull(cards, store, from_path=own).stored == 16
    assert counts(store) == {f"{config}/{split}": 4 for config in ("en", "de") for split in ("train", "test")}
    assert pull(cards, store, from_path=own, config=("fr",)).stored == 8
    named = tmp_path / "named"
    assert pull(cards, named, from_path=own / "de", as_config="v2").stored == 8
    assert counts(named) == {"v2/test": 4, "v2/train": 4}


def test_a_single_file_is_of_the_split_that_its_name_says(tmp_path: Path) -> None:
    cards = configured(tmp_path)
    own = tmp_path / "hub/team/sounds/fr/test.parquet"
    pull(cards, tmp_path / "store", from_path=own, config=("fr",))
    assert counts(tmp_path / "store") == {"fr/test": 4}
    other = tmp_path / "other.parquet"
    other.write_bytes(own.read_bytes())
    with pytest.raises(UsageError, match="the split is unknown"):
        pull(cards, tmp_path / "store", from_path=other, config=("fr",))
    pull(cards, tmp_path / "other", from_path=other, config=("fr",), split=("train",))
    assert counts(tmp_path / "other") == {"fr/train": 4}
