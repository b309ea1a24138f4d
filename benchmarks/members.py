"""Many small members: reading an archive member by member; is memory use constant?

python -m benchmarks.members [--work DIR] [--rounds N] [--members 100000]
python -m benchmarks.members --make FORMAT OUT --members 100000
"""

from __future__ import annotations

import io
import random
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from .report import Requirement, Section, at_most, parser, publish, workplace
from .timing import LIMIT, OURS, Contestant, Figures, compete, driver, module, run, tell

FORMATS = ("tar.gz", "zip", "7z")
PLAIN = ("tar.gz", "zip")
MEMBER_BYTES = 1000
TIMES_PLAIN = {"tar.gz": 1.3, "zip": 2.5}
"""For a small member of a zip, checking its name, kind, size and limits adds to the time."""
BYTES_A_MEMBER = {"tar.gz": 50, "zip": 1000, "7z": 4000}
"""Bytes that may stay in memory per member: none for a tar; for the others, its entry in the directory."""
SETTING = (
    "An archive of {members:,} members of about 1 kB that hardly compress, and one with a quarter of them. Every "
    "member is read completely and dropped; the standard library's loop over the same archive is the limit. Whole "
    "processes. The directory of a zip or a 7z is at its end and is kept in memory while the archive is read."
)


def main() -> int:
    made = parser("Many members: time and memory.", rounds=2)
    made.add_argument("--members", type=int, default=100_000, help="members of the archive")
    made.add_argument("--make", nargs=2, metavar=("FORMAT", "OUT"), help="only make an archive")
    options = made.parse_args()
    if options.make:
        make(options.make[0], Path(options.make[1]), options.members)
        return 0
    with workplace(options.work) as work:
        _prepare(work, options.members)
        figures = compete(list(_contestants(work, options.members)), rounds=options.rounds)
        _check_work(figures, options.members)
        section = Section(
            "members",
            "many small members of one archive",
            SETTING.format(members=options.members),
            list(figures.values()),
            list(_requirements(figures, options.members)),
            notes=[
                f"{format}: {options.members / figures[format].median:,.0f} members per second." for format in FORMATS
            ],
        )
    return publish(section)


def make(format: str, out: Path, count: int) -> None:
    """Make an archive of `count` members whose bytes are the same in every format."""
    if format == "zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in _members(count):
                archive.writestr(name, data)
    elif format == "7z":
        import py7zr

        with py7zr.SevenZipFile(out, "w", filters=[{"id": py7zr.FILTER_LZMA2, "preset": 0}]) as packed:
            for name, data in _members(count):
                packed.writestr(data, name)
    else:
        with tarfile.open(out, "w:gz", compresslevel=1) as tar:
            for name, data in _members(count):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def _members(count: int) -> Iterator[tuple[str, bytes]]:
    draw = random.Random(count)
    for number in range(count):
        size = draw.randrange(MEMBER_BYTES // 2, MEMBER_BYTES * 3 // 2)
        yield f"corpus/train/{number // 100:06d}/{number:09d}.txt", draw.randbytes(size)


def _prepare(work: Path, count: int) -> None:
    for format in FORMATS:
        for many in (count, count // 4):
            path = _archive(work, format, many)
            if not path.is_file():
                tell(f"making {path.name} ...")
                run(module("members", "--make", format, path, "--members", many))


def _archive(work: Path, format: str, count: int) -> Path:
    return work / f"members-{count}.{format}"


def _contestants(work: Path, count: int) -> Iterator[Contestant]:
    for format in FORMATS:
        for many in (count, count // 4):
            command: Sequence[str] = driver("our_members", _archive(work, format, many), work / "spool")
            yield Contestant(_name(format, many < count), OURS, command)
        if format in PLAIN:
            yield Contestant(_plain(format), LIMIT, driver("plain_members", _archive(work, format, count)))


def _name(format: str, quarter: bool) -> str:
    return f"{format}, a quarter of it" if quarter else format


def _plain(format: str) -> str:
    return f"{format} by the standard library"


def _check_work(figures: dict[str, Figures], count: int) -> None:
    """Exit if a contestant did not read every member, or read other bytes."""
    sums = {figures[_name(format, False)].output("sum") for format in FORMATS}
    sums |= {figures[_plain(format)].output("sum") for format in PLAIN}
    for name, each in figures.items():
        wanted = count // 4 if name.endswith("a quarter of it") else count
        if (each.output("members"), each.output("refused"), len(sums)) != (wanted, 0, 1):
            raise SystemExit(f"{name}: {each.runs[-1].output}, sums {sums}")


def _requirements(figures: dict[str, Figures], count: int) -> Iterator[Requirement]:
    for format in FORMATS:
        whole, quarter = figures[_name(format, False)], figures[_name(format, True)]
        grown = max(whole.peak_mb - quarter.peak_mb, 0) * 1e6 / (count - count // 4)
        yield at_most(
            f"{format}: memory that grows with the members", grown, BYTES_A_MEMBER[format], " bytes per member"
        )
    for format in PLAIN:
        ratio = figures[_name(format, False)].median / figures[_plain(format)].median
        yield at_most(f"{format}: compared with the standard library", ratio, TIMES_PLAIN[format], " times its seconds")


if __name__ == "__main__":
    sys.exit(main())
