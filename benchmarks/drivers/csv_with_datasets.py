"""Hugging Face datasets, as installed with the package, over the same table: csv_with_datasets.py TABLE CACHE

Loads the CSV into Arrow and keeps the rows whose file exists, without a record of the others.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

TABLE, CACHE = sys.argv[1:3]
os.environ.update(HF_HOME=CACHE, HF_HUB_OFFLINE="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1")


def main() -> None:
    from datasets import load_dataset

    rows = load_dataset("csv", data_files=TABLE, split="train")
    folder = Path(TABLE).parent
    kept = rows.filter(lambda row: (folder / row["audio"]).exists())
    print(json.dumps({"candidates": len(rows), "missing": len(rows) - len(kept)}))


if __name__ == "__main__":
    main()
