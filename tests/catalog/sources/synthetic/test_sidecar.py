"""The sidecar reader: media and the JSON beside it, in any order, within memory."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pytest
from triptych.catalog.sources.synthetic.source import SyntheticSource
from triptych.converters.candidate import Candidate, RawFile, ReadContext, Rejection
from triptych.converters.readers.corpora.sidecar import SidecarReader
from triptych.converters.readers.corpora.spool import WaitingMedia
from triptych.shards.sample import SCHEMA


def raw(name: str, data: bytes | str, *, split: str | None = "train", revision: str = "r1") -> RawFile:
    content = data.encode() if isinstance(data, str) else data
    return RawFile(name, f"test:{name}", revision, len(content), lambda: io.BytesIO(content), split=split)


def read(*files: RawFile | Rejection, context: ReadContext | None = None) -> tuple[list[Candidate], list[Rejection]]:
    taken = list(SidecarReader().read(files, context or ReadContext("demo")))
    kept = [one for one in taken if isinstance(one, Candidate)]
    return kept, [one for one in taken if isinstance(one, Rejection)]


@pytest.mark.parametrize("kind", ["speech", "video", "av"])
def test_synthetic_files_become_candidates_that_fit_the_schema(kind: str) -> None:
    pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'triptych[demo]'")
    files = list(SyntheticSource(kind=kind, seed=5, count=2).files())
    kept, rejected = read(*files)
    assert not rejected
    assert [one.source_id for one in kept] == [f"{kind}-000000", f"{kind}-000001"]
    media_kind = "audio" if kind == "speech" else "video"
    for one, file in zip(kept, files[::2], strict=True):
        assert [(name, blob.data) for name, blob in one.media] == [(media_kind, file.read())]
        assert (one.uri, one.revision, one.split) == (file.uri, "synthetic-1:seed=5", file.split)
        row = pa.Table.from_pylist([one.fields], schema=SCHEMA)
        assert row["text"][0].as_py()
        assert all(isinstance(value, str) for value in one.fields["extra"].values())


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 0, 3, 2), (0, 2, 3, 1), (3, 1, 2, 0)])
def test_pairs_come_in_any_order(order: tuple[int, ...]) -> None:
    files = [raw("train/a.wav", b"A"), raw("train/a.json", '{"text": "one"}'),
             raw("train/b.MP4", b"B"), raw("train/b.json", '{"text": "two"}')]  # fmt: skip
    kept, rejected = read(*(files[number] for number in order))
    assert not rejected
    found = {one.source_id: (one.fields["text"], one.media[0][0], one.media[0][1].data) for one in kept}
    assert found == {"a": ("one", "audio", b"A"), "b": ("two", "video", b"B")}


def test_media_from_a_stream_is_kept_until_its_sidecar_comes() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, data in (("x/a.flac", b"sound"), ("x/b.flac", b"noise"), ("x/b.json", b"{}"), ("x/a.json", b"{}")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))

    def members() -> Iterator[RawFile]:
        with tarfile.open(fileobj=io.BytesIO(packed.getvalue()), mode="r|") as tar:
            for member in tar:
                opened = tar.extractfile(member)
                assert opened is not None
                yield RawFile(member.name, member.name, "", member.size, partial(cast, BinaryIO, opened))

    kept = [one for one in SidecarReader().read(members(), ReadContext("demo")) if isinstance(one, Candidate)]
    assert [(one.source_id, one.media[0][1].data) for one in kept] == [("x/b", b"noise"), ("x/a", b"sound")]


def test_media_beyond_the_limit_waits_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WaitingMedia.__init__.__kwdefaults__ or {}, "limit", 5)
    files = [raw("a.wav", b"AAAA"), raw("b.wav", b"BBBB"), raw("c.wav", b"CCCC")]
    files += [raw("c.json", "[]"), raw("b.json", "{}")]
    for file in files:
        file.spool = tmp_path
    kept, rejected = read(*files)
    blob = kept[0].media[0][1]
    assert blob.temporary and blob.path is not None and blob.path.read_bytes() == b"BBBB"
    assert [one.reason for one in rejected] == ["bad_sidecar", "no_sidecar"]
    assert list(tmp_path.iterdir()) == [blob.path], "what is rejected leaves nothing behind"


def test_a_file_without_its_counterpart_is_rejected_at_the_end() -> None:
    kept, rejected = read(
        raw("train/a.wav", b"A"), raw("train/b.json", "{}"), raw("train/c.wav", b"C"), raw("train/c.json", "{}"),
        raw("train/README.txt", "about"), raw("train/a.flac", b"A"),
    )  # fmt: skip
    assert [one.source_id for one in kept] == ["c"]
    assert [(one.candidate, one.reason, one.uri) for one in rejected] == [
        ("a", "no_sidecar", "test:train/a.flac"),
        ("a", "no_sidecar", "test:train/a.wav"),
        ("b", "no_media", "test:train/b.json"),
    ]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b'{"text": "a",\n "speaker": }', "train/a.json, line 2, column 13"),
        (b"", "train/a.json, line 1, column 1"),
        (b"[1, 2]", "train/a.json, line 1: [1, 2], expected one JSON object"),
        (b'{"text": "\xff"}', "train/a.json: byte 10 is not UTF-8"),
        (b'{"text": 5}', "train/a.json: 'text' is 5, expected string"),
        (b'{"words": [{"text": "a", "start_s": "soon"}]}', "train/a.json: 'words' is"),
        (b'{"extra": ["x"]}', "train/a.json: 'extra' is [\"x\"], expected an object"),
        (b'{"source_id": ["x"]}', "train/a.json: 'source_id' is [\"x\"], expected a string"),
    ],
)
@pytest.mark.parametrize("media_first", [True, False])
def test_a_bad_sidecar_is_rejected_with_its_place(content: bytes, place: str, media_first: bool) -> None:
    files = [raw("train/a.wav", b"A"), raw("train/a.json", content)]
    kept, rejected = read(*(files if media_first else reversed(files)))
    assert not kept
    assert [(one.candidate, one.reason) for one in rejected] == [("a", "bad_sidecar")]
    assert place in rejected[0].detail


def test_unknown_keys_go_to_extra_as_strings() -> None:
    content = {
        "source_id": "utt-1", "text": "hi", "captions": ["x"], "mood": "calm", "takes": 3, "tags": ["a", "ü"],
        "absent": None, "id": "theirs", "extra": {"room": 12},
    }  # fmt: skip
    kept, _ = read(raw("train/a.wav", b"A"), raw("train/a.json", json.dumps(content)))
    assert kept[0].source_id == "utt-1"
    assert kept[0].fields == {
        "text": "hi",
        "captions": ["x"],
        "extra": {"room": "12", "mood": "calm", "takes": "3", "tags": '["a", "ü"]', "id": "theirs"},
    }


def test_split_and_config_come_from_the_sidecar_where_the_source_knows_none() -> None:
    content = '{"split": "dev", "config": "clean"}'
    files = [raw("a.wav", b"A", split=None), raw("a.json", content, split=None)]
    kept, _ = read(*files)
    assert (kept[0].split, kept[0].config, kept[0].source_id) == ("dev", "clean", "a")
    assert read(*files, context=ReadContext("demo", wants=lambda split: split == "train")) == ([], [])


def test_rejections_of_the_source_pass_through() -> None:
    refused = Rejection("x", "unsafe_name", "climbs out")
    assert read(refused) == ([], [refused])
