"""Write the live Parquet files of a store's samples to a file, one per line: list_files.py STORE OUT"""

from __future__ import annotations

import sys
from pathlib import Path

from triptych.shards.store.store import Store

files = sorted(Store.open(sys.argv[1]).table("samples").file_uris())
Path(sys.argv[2]).write_text("".join(f"{file}\n" for file in files), encoding="utf-8")
