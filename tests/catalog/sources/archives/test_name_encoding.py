"""Names in zips that are not UTF-8: told from all names together, or refused."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import pytest
from triptych.catalog.sources.archives.name_encoding import encoding_of
from triptych.catalog.sources.archives.reader import members
from triptych.converters.candidate import RawFile, Rejection


def zip_of(names: Sequence[bytes]) -> bytes:
    """A zip whose members have these bytes as names, without the flag of UTF-8; `zipfile` cannot write such names."""
    out = io.BytesIO()
    plain = [f"{number}".rjust(len(name), "q").encode() for number, name in enumerate(names)]
    with zipfile.ZipFile(out, "w") as archive:
        for number, name in enumerate(plain):
            archive.writestr(name.decode(), b"%d" % number)
    data = out.getvalue()
    for name, raw in zip(plain, names, strict=True):
        data = data.replace(name, raw)
    return data


def read(names: Sequence[bytes]) -> tuple[dict[str, bytes], list[Rejection]]:
    """Name -> content, and the refusals."""
    items = list(members(io.BytesIO(zip_of(names)), name="a.zip", uri="u", revision="r"))
    found = {item.name: item.read() for item in items if isinstance(item, RawFile)}
    return found, [item for item in items if isinstance(item, Rejection)]


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp932", ["\u8868\u4e00.wav", "\u30bd\u97f3/\u8a71\u8005.wav", "plain.wav"]),
        ("cp932", ["\u3042\u308a\u304c\u3068\u3046.wav"]),
        ("gbk", ["\u4e2d\u6587.wav", "\u6dfaa.wav", "\u8bed\u97f3\\\u6570\u636e.wav"]),
        ("cp437", ["caf\u00e9.wav", "\u00fcbung.wav", "CAFÉS.wav"]),
    ],
)
def test_legacy_names_are_decoded_whole(encoding: str, names: list[str]) -> None:
    found, refused = read([name.encode(encoding) for name in names])
    assert refused == []
    assert found == {name.replace("\\", "/"): b"%d" % number for number, name in enumerate(names)}


def test_a_name_that_may_be_two_is_refused_and_never_split() -> None:
    names = ["\ud55c\uad6d\uc5b4.wav".encode("cp949"), b"plain.wav", b"\x87\x5c\xfd.wav"]
    for name in (names[0], names[2]):
        found, [refusal] = read([name, names[1]])
        assert found == {"plain.wav": b"1"}
        assert refusal.reason == "name_encoding" and "unzip -O" in refusal.detail and "/" not in refusal.candidate


def test_an_encoding_needs_a_clear_lead() -> None:
    assert encoding_of(["\u4e2d\u6587".encode("big5")]) == "big5"
    assert encoding_of([b"\xb0\xa1"]) is None  # a hanzi in GBK, a syllable in Korean
    assert encoding_of([b"\xe9t\xe9"]) is None  # Latin-1
