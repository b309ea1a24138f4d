"""An unpacked folder gives the same files as its archive."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from support.archives import CORPUS, tar_of
from triptych.catalog.sources.folder import tree
from triptych.converters.candidate import RawFile, Rejection
from triptych.errors import UsageError


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    root = tmp_path / "Corpus"
    for name, data in CORPUS.items():
        path = root / name.removeprefix("Corpus/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def test_a_folder_gives_the_files_of_its_archive_sorted(unpacked: Path) -> None:
    found = list(tree(unpacked, revision="r", uri="u"))
    assert all(isinstance(item, RawFile) for item in found)
    expected = {name.removeprefix("Corpus/"): data for name, data in CORPUS.items()}
    assert [(item.name, item.read()) for item in found if isinstance(item, RawFile)] == sorted(
        expected.items(), key=lambda pair: pair[0].split("/")
    )
    first = found[0]
    assert isinstance(first, RawFile)
    assert first.path == unpacked / first.name and first.uri == f"u/{first.name}" and first.revision == "r"
    assert first.blob().path == first.path and not first.blob().temporary


def test_links_do_not_lead_out_of_a_folder(unpacked: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (unpacked / "a_out").symlink_to(tmp_path / "secret")
    (unpacked / "b_up").symlink_to(tmp_path)
    (unpacked / "c_in").symlink_to(unpacked / "test/trans.txt")
    (unpacked / "d_loop").symlink_to(unpacked)
    (unpacked / "e_gone").symlink_to(unpacked / "nothing")
    os.mkfifo(unpacked / "f_pipe")
    notes: list[str] = []
    found = list(tree(unpacked, revision="r", note=notes.append))
    refused = [(item.candidate, item.reason) for item in found if isinstance(item, Rejection)]
    assert refused == [
        ("a_out", "outside"),
        ("b_up", "outside"),
        ("e_gone", "missing_file"),
        ("f_pipe", "special_file"),
    ]
    assert notes == ["linked folders that were read under another name: 1 (d_loop/)"]
    assert len(found) == len(CORPUS) + 5


def test_a_folder_with_foreign_names_and_sidecars(tmp_path: Path) -> None:
    root = tmp_path / "r"
    root.mkdir()
    (root / "._x.wav").write_bytes(b"x")
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX/y.wav").write_bytes(b"x")
    Path(os.fsdecode(bytes(root) + b"/\xce\xc4.wav")).write_bytes(b"1")
    (one,) = tree(root, revision="r")
    assert isinstance(one, RawFile) and one.name == "%CE%C4.wav" and one.read() == b"1"


def test_archives_in_a_folder_are_read_in_place(tmp_path: Path) -> None:
    (tmp_path / "r/wav").mkdir(parents=True)
    (tmp_path / "r/wav/S0150.tar.gz").write_bytes(gzip.compress(tar_of({"train/S0150/x.wav": b"1"})))
    (one,) = tree(tmp_path / "r", revision="r", uri="u", nested=("*.tar.gz",))
    assert isinstance(one, RawFile) and (one.name, one.uri) == (
        "wav/train/S0150/x.wav",
        "u/wav/S0150.tar.gz!train/S0150/x.wav",
    )
    (one,) = tree(tmp_path / "r", revision="r")
    assert isinstance(one, RawFile) and one.name == "wav/S0150.tar.gz"


def test_a_missing_folder_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        next(tree(tmp_path / "nothing", revision="r"))
