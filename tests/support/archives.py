"""Archives made for tests, and all that `members` says of one."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile
from collections.abc import Callable, Generator
from typing import Any

from triptych.catalog.sources.archives.reader import ByteStream, members
from triptych.converters.candidate import RawFile, Rejection

Files = dict[str, bytes]
DRAW = random.Random(11)
CORPUS: Files = {f"Corpus/test/{n // 5}/{n:03d}.flac": DRAW.randbytes(DRAW.randrange(2000, 60_000)) for n in range(20)}
CORPUS["Corpus/test/trans.txt"] = b"HELLO WORLD\n" * 500


def tar_of(files: Files, *, format: int = tarfile.GNU_FORMAT, extra: list[tarfile.TarInfo] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format, encoding="utf-8", errors="surrogateescape") as tar:
        for info in extra or []:
            tar.addfile(info)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "gzip": lambda data: gzip.compress(data, 6),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def opened(data: bytes | ByteStream, **options: Any) -> Generator[RawFile | Rejection, None, None]:
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    given: dict[str, Any] = {"name": "a.tar.gz", "uri": "https://h/a.tar.gz", "revision": "sha256:1", **options}
    return members(stream, **given)


def read(data: bytes | ByteStream, **options: Any) -> tuple[list[tuple[str, bytes]], list[Rejection]]:
    """All members with their bytes, and all rejections."""
    good, bad = [], []
    for item in opened(data, **options):
        if isinstance(item, Rejection):
            bad.append(item)
        else:
            good.append((item.name, item.read()))
    return good, bad


def assert_honest(data: bytes, reasons: tuple[str, ...], **options: Any) -> list[tuple[str, bytes]]:
    """Whole members only, a prefix of them, and one rejection that names the file and how far it got."""
    good, bad = read(data, **options)
    assert good == list(CORPUS.items())[: len(good)]
    assert len(bad) == 1 and bad[0].damaged and bad[0].reason in reasons
    assert "https://h/a.tar.gz" in bad[0].detail and f"{len(good)} whole members" in bad[0].detail
    return good
