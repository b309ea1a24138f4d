"""The same MS-SWIFT rows with an engine alone, from the store's Parquet files to a Parquet file and to JSON Lines.

    with_engine.py duckdb|polars|json FILES OUT ROOT PROMPT

FILES lists the Parquet files, one per line; ROOT is prepended to media paths. `duckdb` writes the rows in the hash
order of our exports, as `COPY (SELECT ... ORDER BY ...) TO (FORMAT parquet)` and from there `TO (FORMAT json)`;
`polars` does the same in its own hash order (it has no SHA-256) with `sink_parquet` and `sink_ndjson`; `json` is a
loop of json.dumps in file order, without a Parquet file. None of them checks, hashes, counts or publishes anything.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

MEMORY_LIMIT = "1GB"


def with_duckdb(files: list[str], out: str, root: str, prompt: str) -> None:
    import duckdb

    listed = ", ".join(f"'{file}'" for file in files)
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(f"""
            COPY (
                SELECT id,
                       [{{'role': 'user', 'content': '<audio>{prompt}'}}, {{'role': 'assistant', 'content': text}}]
                           AS messages,
                       ['{root}/' || audio.path] AS audios
                FROM read_parquet([{listed}]) ORDER BY sha256('0:' || id), id
            ) TO '{out}.parquet' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)""")
        connection.execute(f"COPY (SELECT * FROM read_parquet('{out}.parquet')) TO '{out}' (FORMAT json)")


def with_polars(files: list[str], out: str, root: str, prompt: str) -> None:
    import polars as pl

    user = pl.struct(role=pl.lit("user"), content=pl.lit(f"<audio>{prompt}"))
    assistant = pl.struct(role=pl.lit("assistant"), content=pl.col("text"))
    pl.scan_parquet(files).sort(pl.col("id").hash()).select(
        "id",
        messages=pl.concat_list(user, assistant),
        audios=pl.concat_list(pl.lit(f"{root}/") + pl.col("audio").struct.field("path")),
    ).sink_parquet(f"{out}.parquet", compression="zstd", compression_level=1)
    pl.scan_parquet(f"{out}.parquet").sink_ndjson(out)


def with_json(files: list[str], out: str, root: str, prompt: str) -> None:
    import pyarrow.parquet as pq

    with Path(out).open("w", encoding="utf-8") as target:
        for file in files:
            for batch in pq.ParquetFile(file).iter_batches(columns=["id", "text", "audio.path"]):
                for row in batch.to_pylist():
                    messages = [
                        {"role": "user", "content": f"<audio>{prompt}"},
                        {"role": "assistant", "content": row["text"]},
                    ]
                    audios = [f"{root}/{row['audio']['path']}"]
                    line = {"id": row["id"], "messages": messages, "audios": audios}
                    target.write(json.dumps(line, ensure_ascii=False) + "\n")


def main() -> None:
    engine, listing, out, root, prompt = sys.argv[1:]
    files = Path(listing).read_text(encoding="utf-8").splitlines()
    started = time.perf_counter()
    if engine == "duckdb":
        with_duckdb(files, out, root, prompt)
    elif engine == "polars":
        with_polars(files, out, root, prompt)
    else:
        with_json(files, out, root, prompt)
    print(json.dumps({"seconds": time.perf_counter() - started, "bytes": Path(out).stat().st_size}))


if __name__ == "__main__":
    main()
