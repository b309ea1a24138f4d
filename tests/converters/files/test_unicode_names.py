"""Names that differ only by Unicode normalisation are equal, and never matched with another file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import triptych
from support.stores import check_accounts, select
from triptych.converters.candidate import Candidate, RawFile, ReadContext, Rejection
from triptych.converters.readers import get_reader

Tone = Callable[..., bytes]

NFC, NFD = "\u00e9t\u00e9", "e\u0301te\u0301"


def files(**contents: bytes) -> list[RawFile]:
    import io

    def raw(name: str, data: bytes) -> RawFile:
        return RawFile(name, name, "r", len(data), lambda: io.BytesIO(data))

    return [raw(name.replace("__", "."), data) for name, data in contents.items()]


def read(reader: str, given: list[RawFile], **options: Any) -> dict[str, str | None]:
    """Id -> text, or the reason of a rejection."""
    found = get_reader(reader).read(iter(given), ReadContext("d", options=options, whole_corpus=True))
    return {
        (item.candidate if isinstance(item, Rejection) else item.source_id): (
            item.reason if isinstance(item, Rejection) else item.fields.get("text")
        )
        for item in found
        if isinstance(item, Candidate | Rejection)
    }


def test_texts_and_media_of_one_name_are_joined_and_both_spellings_are_two(tmp_path: Path) -> None:
    options = {"media": "{id}.wav", "transcripts": "t.txt"}
    lines = f"{NFC} one\nb two\n".encode()
    assert read("transcripts", files(t__txt=lines, **{f"{NFD}__wav": b"x", "b__wav": b"x"}), **options) == {
        NFD: "one", "b": "two",
    }  # fmt: skip
    both = f"{NFC} composed\n{NFD} decomposed\n".encode()
    for order in ((NFC, NFD), (NFD, NFC)):
        media = {f"{name}__wav": b"x" for name in order}
        assert read("transcripts", files(t__txt=both, **media), **options) == {NFC: "composed", NFD: "decomposed"}
    doubted = read("transcripts", files(t__txt=both, **{f"{NFC}__wav": b"x", f"x{NFC}__wav": b"x"}), **options)
    assert doubted == {NFC: "composed", f"x{NFC}": "no_transcript", NFD: "no_media"}
    sidecars = {f"{NFC}__json": json.dumps({"text": "one"}).encode(), f"{NFD}__flac": b"x"}
    assert read("sidecar", files(**sidecars)) == {NFD: "one"}


def test_texts_of_a_folder_and_alignments_find_their_media(tmp_path: Path, tone: Tone) -> None:
    folder, store = tmp_path / "in", tmp_path / "store"
    folder.mkdir()
    for name in (NFD, f"zwei {NFC}", f"zwei {NFD}"):
        (folder / f"{name}.wav").write_bytes(tone(300, format="WAV"))
    (folder / f"{NFC}.txt").write_text("said")
    (folder / f"zwei {NFC}.txt").write_text("of the composed one")
    triptych.import_data("folder", folder, name="mine", store=store)
    texts = {row["id"]: row["text"] for row in select(store, "select id, text from samples")}
    assert texts == {
        f"mine/all/{NFD}": "said", f"mine/all/zwei {NFC}": "of the composed one", f"mine/all/zwei {NFD}": None,
    }  # fmt: skip
    (tmp_path / "w.ctm").write_text(f"{NFC} 1 0.0 0.05 said\nzwei\u00a0{NFC} 1 0.0 0.05 no\n")
    triptych.import_data("ctm", tmp_path / "w.ctm", name="mine", store=store)
    check_accounts(store)
    aligned = select(store, "select id, words[1].text w from samples where words is not null")
    assert aligned == [{"id": f"mine/all/{NFD}", "w": "said"}]
    assert [row["candidate"] for row in select(store, "select candidate from events")] == [f"zwei\u00a0{NFC}"]
