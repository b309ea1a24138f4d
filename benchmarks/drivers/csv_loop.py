"""The minimum cost of a table of missing media: read every row, look for its file, write a line for each missing one.

csv_loop.py TABLE OUT
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path


def main() -> None:
    table, out = Path(sys.argv[1]), Path(sys.argv[2])
    rows = missing = 0
    with table.open(encoding="utf-8", newline="") as file, out.open("w", encoding="utf-8") as log:
        writer = csv.writer(log)
        for number, row in enumerate(csv.DictReader(file), start=2):
            rows += 1
            path = table.parent / row["audio"]
            try:
                path.stat()
            except OSError as error:
                missing += 1
                writer.writerow([row["audio"], "missing_media", f"{table}:{number}: {path}: {error.strerror}"])
    print(json.dumps({"candidates": rows, "missing": missing}))


if __name__ == "__main__":
    main()
