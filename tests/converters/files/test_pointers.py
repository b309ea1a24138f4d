"""Files whose content Git LFS or git-annex has not fetched, and other texts under the names of media."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import triptych
from support.stores import select
from triptych.converters.candidate import RawFile, ReadContext, Rejection
from triptych.converters.readers import get_reader
from triptych.errors import UsageError
from triptych.shards.media.probe import MediaError, probe

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 72862\n"
ANNEX = b"/annex/objects/SHA256E-s72862--4d7a.wav\n"


def file_of(name: str, data: bytes, folder: Path) -> RawFile:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return RawFile(name, name, "r", len(data), lambda: path.open("rb"), path=path)


@pytest.mark.parametrize(
    ("data", "reason", "said"),
    [
        (LFS, "pointer", "git lfs pull"),
        (ANNEX, "pointer", "git annex get"),
        (b"\n<!DOCTYPE html><title>404</title>", "not_media", "web page"),
        (b"Not found.\n", "not_media", "it is text, not media: 'Not found."),
        (b"\x07\x01" * 40, "not_media", "neither soundfile nor FFmpeg"),
    ],
)
def test_what_is_no_media_is_named(tmp_path: Path, data: bytes, reason: str, said: str) -> None:
    for source in (data, file_of("a.wav", data, tmp_path).path):
        assert source is not None
        with pytest.raises(MediaError, match=said) as caught:
            probe(source)
        assert caught.value.reason == reason


@pytest.mark.parametrize(("format", "name"), [("csv", "t.csv"), ("parquet", "t.parquet"), ("msswift", "t.jsonl"),
                                              ("nemo", "m.json"), ("kaldi", "wav.scp")])  # fmt: skip
def test_a_table_that_was_not_fetched_is_named(tmp_path: Path, format: str, name: str) -> None:
    path = file_of(name, LFS, tmp_path).path
    given = tmp_path if format == "kaldi" else path
    with pytest.raises(UsageError, match=f"{name} is a Git LFS pointer"):
        triptych.convert(format, str(given), tmp_path / "out.jsonl", force=True)


CARDS = {
    "transcripts": {"media": "{id}.wav", "transcripts": "*.txt"},
    "sidecar": {},
    "annotated": {"tables": [{"file": "t.csv"}], "id": "{id}", "media": {"audio": "{id}.wav"}},
}


@pytest.mark.parametrize(("reader", "name"), [("transcripts", "t.txt"), ("sidecar", "a.json"), ("annotated", "t.csv")])
def test_the_texts_of_a_corpus_that_were_not_fetched_are_named(tmp_path: Path, reader: str, name: str) -> None:
    files = [file_of(name, LFS, tmp_path), file_of("a.wav", b"x", tmp_path)]
    found = list(get_reader(reader).read(iter(files), ReadContext("d", options=CARDS[reader], spool=tmp_path)))
    assert "pointer" in {item.reason for item in found if isinstance(item, Rejection)}
    assert all(isinstance(item, Rejection) for item in found)


def test_alignments_that_were_not_fetched_are_named(tmp_path: Path, tone: Callable[..., bytes]) -> None:
    file_of("in/a.wav", tone(300, format="WAV"), tmp_path)
    store = tmp_path / "store"
    triptych.import_data("folder", tmp_path / "in", name="mine", store=store)
    for format, name in (("textgrid", "a.TextGrid"), ("ctm", "a.ctm")):
        triptych.import_data(format, file_of(name, LFS, tmp_path).path or "", name="mine", store=store)
    assert [row["reason"] for row in select(store, "select reason from events")] == ["pointer", "pointer"]
