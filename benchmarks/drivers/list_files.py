"""The live Parquet files of a store's samples, one a line, into a file: list_files.py STORE OUT"""

from __future__ import annotations

import sys
from pathlib import Path

from triptych.shards.store.store import Store

files = sorted(Store.open(sys.argv[1]).table("samples").file_uris())
Path(sys.argv[2]).write_text("".join(f"{file}\n" for file in files), encoding="utf-8")
