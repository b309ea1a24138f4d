"""Read every member of an archive with our reader and drop it.

our_members.py ARCHIVE SPOOL
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path

from triptych.catalog.sources.archives.reader import members
from triptych.converters.candidate import Rejection


def main() -> None:
    archive, spool = Path(sys.argv[1]), Path(sys.argv[2])
    count = total = refused = summed = 0
    with archive.open("rb") as stream:
        for item in members(stream, name=archive.name, uri=archive.as_uri(), revision="", spool=spool):
            if isinstance(item, Rejection):
                refused += 1
                continue
            data = item.read()
            count += 1
            total += len(data)
            summed = zlib.crc32(data, summed)
    print(json.dumps({"members": count, "bytes": total, "refused": refused, "sum": summed}))


if __name__ == "__main__":
    main()
