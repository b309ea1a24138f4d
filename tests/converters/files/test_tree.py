"""A walk over a folder: linked folders, links that lead outside or to nothing, hidden names, rubbish, special files."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import triptych
from support.stores import check_accounts, select
from triptych.converters.files.inside import Inside
from triptych.converters.files.tree import Found, Refused, Tree

Tone = Callable[..., bytes]


def put(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def walk(root: Path, *allowed: Path) -> tuple[list[str], dict[str, str], list[str]]:
    """Names that are read; name -> reason of those that are refused; the notes."""
    tree = Tree(root, inside=Inside.of(root, allowed=allowed))
    items = list(tree.walk())
    found = [item.name for item in items if isinstance(item, Found)]
    return found, {item.name: item.reason for item in items if isinstance(item, Refused)}, tree.notes()


def test_a_folder_is_read_once_under_its_own_name_and_loops_end(tmp_path: Path) -> None:
    root = put(tmp_path / "in", "near/a.wav", "near/b.wav", "z.wav")
    (root / "again").symlink_to("near")
    (root / "near/up").symlink_to("..")
    (root / "loop").symlink_to(".")
    found, refused, notes = walk(root)
    assert found == ["near/a.wav", "near/b.wav", "z.wav"] and refused == {}
    assert notes == ["linked folders that were read under another name: 3 (again/, loop/, near/up/)"]


def test_a_linked_folder_without_a_name_of_its_own_is_entered_once(tmp_path: Path) -> None:
    root = put(tmp_path / "in", ".pool/far/a.wav", ".pool/far/deep/b.wav")
    (root / "far").symlink_to(".pool/far")
    (root / "more").symlink_to(".pool/far/deep")
    found, refused, notes = walk(root)
    assert found == ["far/a.wav", "far/deep/b.wav"] and refused == {}
    assert notes == [
        "hidden folders, not entered: 1 (.pool/)",
        "linked folders that were read under another name: 1 (more/)",
    ]


def test_links_lead_outside_only_where_it_is_allowed(tmp_path: Path) -> None:
    root = put(tmp_path / "in", "a.wav")
    far = put(tmp_path / "big/far", "f.wav", "g.wav")
    (root / "far").symlink_to("../big/far")
    (root / "one.wav").symlink_to("../big/far/f.wav")
    (far / "back").symlink_to(root)
    (far / "self").symlink_to(".")
    found, refused, _ = walk(root)
    assert found == ["a.wav"] and refused == {"far": "outside", "one.wav": "outside"}
    found, refused, notes = walk(root, tmp_path / "big")
    assert found == ["a.wav", "far/f.wav", "far/g.wav", "one.wav"] and refused == {}
    assert notes == ["linked folders that were read under another name: 2 (far/back/, far/self/)"]


def test_an_allowed_folder_around_the_input_does_not_bring_it_in_twice(tmp_path: Path) -> None:
    root = put(tmp_path / "all/in", "a.wav")
    put(tmp_path / "all", "beside.wav")
    (root / "up").symlink_to("..")
    found, refused, _ = walk(root, tmp_path / "all")
    assert found == ["a.wav", "up/beside.wav"] and refused == {}


def test_the_contents_of_a_checkout_are_its_own(tmp_path: Path) -> None:
    put(tmp_path / "annex/.git/annex/objects/aa", "k1")
    root = put(tmp_path / "annex/data", "b.wav")
    (root / "a.wav").symlink_to("../.git/annex/objects/aa/k1")
    (root / "gone.wav").symlink_to("../.git/annex/objects/aa/k2")
    assert walk(root)[:2] == (["a.wav", "b.wav"], {"gone.wav": "missing_media"})
    put(tmp_path / "hub/blobs", "0a1b")
    snapshot = put(tmp_path / "hub/snapshots/main", "x.wav")
    (snapshot / "y.wav").symlink_to("../../blobs/0a1b")
    assert walk(snapshot)[:2] == (["x.wav", "y.wav"], {})


def test_what_is_no_regular_file_is_refused_and_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = put(tmp_path / "in", "a.wav")
    os.mkfifo(root / "pipe.wav")
    (root / "device.wav").symlink_to("/dev/zero")
    (root / "gone.txt").symlink_to("nothing")
    monkeypatch.chdir(root)  # the name of a socket may not be long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        found, refused, _ = walk(root, Path("/dev"))
    assert found == ["a.wav"]
    assert refused == {"device.wav": "special_file", "gone.txt": "missing_file", "pipe.wav": "special_file",
                       "socket": "special_file"}  # fmt: skip


def test_a_dot_before_a_name_hides_no_recording(tmp_path: Path) -> None:
    root = put(
        tmp_path / "in", "...Baby.wav", "...Baby.txt", ".30 degrees.flac", "...And so on/01.mp3", ".notes.txt",
        ".git/x.wav", "._plain.wav", ".DS_Store", "Thumbs.db", "__MACOSX/y.wav", "plain.wav",
    )  # fmt: skip
    found, refused, notes = walk(root)
    assert found == ["...And so on/01.mp3", "...Baby.txt", "...Baby.wav", ".30 degrees.flac", "plain.wav"]
    assert refused == {}
    assert notes == [
        "files of Windows, left out: 1 (Thumbs.db)",
        "files of macOS, left out: 2 (.DS_Store, ._plain.wav)",
        "folders of macOS, left out: 1 (__MACOSX/)",
        "hidden files, left out: 1 (.notes.txt)",
        "hidden folders, not entered: 1 (.git/)",
    ]


def test_a_folder_is_imported_with_what_is_linked_and_says_what_is_not(tmp_path: Path, tone: Tone) -> None:
    root = put(tmp_path / "in", "said.txt")
    for name in ("a", "b", "c", "said"):
        (root / f"{name}.wav").write_bytes(tone(300, format="WAV"))
    (tmp_path / "private.txt").write_text("a secret")
    (root / "a.txt").symlink_to(tmp_path / "private.txt")
    (root / "b.txt").symlink_to("nothing.txt")
    (root / "c.txt").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    (root / "gone.wav").symlink_to("nothing.wav")
    (root / "gone.txt").write_text("of a file that is not here")
    done = triptych.import_data("folder", root, name="mine", store=tmp_path / "store")
    check_accounts(tmp_path / "store")
    events = select(tmp_path / "store", "select candidate, reason, detail from events order by 1")
    assert {row["candidate"]: row["reason"] for row in events} == {
        "a.wav": "outside", "b.wav": "missing_file", "c.wav": "pointer", "gone.wav": "missing_media",
    }  # fmt: skip
    assert f"--allow-outside {tmp_path}" in events[0]["detail"] and "git lfs pull" in events[2]["detail"]
    assert select(tmp_path / "store", "select id, text from samples") == [{"id": "mine/all/said", "text": "x"}]
    assert done.notes == []
    triptych.import_data("folder", root, name="mine", store=tmp_path / "store", allow_outside=tmp_path)
    assert {"id": "mine/all/a", "text": "a secret"} in select(tmp_path / "store", "select id, text from samples")
