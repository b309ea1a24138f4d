"""A small corpus of tables and sounds in every form that a card can name, for the tests of what a pull opens."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import triptych
from support.cards import head, put_card
from support.corpora import noise
from support.hub import COMMIT
from support.loopback import Loopback
from support.natives import csv_bytes, packed, parquet, unpacked
from support.stores import check_accounts, check_media, select

READER = """
    reader:
      annotated:
        tables: [{{file: {table}}}]
        media: {{audio: "{{file}}"}}
        id: "{{file}}"
        columns: {{text: text}}
"""
COUNT = 8


def names(count: int = COUNT, start: int = 0) -> list[str]:
    return [f"c{number:02d}.wav" for number in range(start, start + count)]


def table(count: int = COUNT, start: int = 0, word: str = "text") -> bytes:
    return csv_bytes([("file", "text"), *((name, f"{word} {name}") for name in names(count, start))])


def sounds(count: int = COUNT, start: int = 0) -> dict[str, bytes]:
    """Clips of 600 kB, which no compression makes smaller."""
    return {f"audio/{name}": noise(start + number, frames=300_000) for number, name in enumerate(names(count, start))}


def write_card(tmp_path: Path, source: str, *, name: str = "sounds", splits: str = "{train: train}",
               more: str = "", table: str = "table.csv", reader: str = READER) -> Path:  # fmt: skip
    about = head(name, title="Sounds", splits=splits)
    sources = f"{more}\nsources:\n  - {source}" + reader.format(table=table)
    return put_card(tmp_path / "cards", name, about + sources)


def cut(data: bytes, pieces: int, prefix: str) -> dict[str, bytes]:
    size = -(-len(data) // pieces)
    return {f"{prefix}{number:02d}": data[number * size : (number + 1) * size] for number in range(pieces)}


def rows(
    store: Path, columns: str = "* exclude (pulled_at, audio_file, video_file, image_file)"
) -> list[dict[str, Any]]:
    return select(store, f"select {columns} from samples order by id")


def check(store: Path) -> None:
    check_accounts(store)
    check_media(store)


def on_hub(tmp_path: Path, files: dict[str, bytes]) -> None:
    unpacked(tmp_path / "hub/team/sounds", files)


def at(name: str, revision: str = COMMIT) -> str:
    return f"/datasets/team/sounds/resolve/{revision}/{name}"


def hub_source(files: str, revision: str = COMMIT) -> str:
    return f"hub: team/sounds\n    revision: {revision}\n    files: {files}"


def pull(cards: Path, store: Path, samples: int | None = None, *, name: str = "sounds", **options: Any) -> Any:
    return triptych.pull(name, samples=samples, store=store, cards=(cards,), **options)


FORMS = {
    "zip": ("{train: [table.csv, audio.zip]}", "audio.zip", 0, ""),
    "tar": ("{train: [table.csv, audio.tar.gz]}", "audio.tar.gz", 0, ""),
    "joined zip": ('{train: [table.csv, {join: ["audio.zip.*"], as: audio.zip}]}', "audio.zip", 5, "audio.zip."),
    "joined tar": ('{train: [table.csv, {join: ["part*"], as: audio.tar}]}', "audio.tar", 5, "part"),
}


def laid_out(tmp_path: Path, form: str) -> tuple[str, int]:
    """Puts a form on the hub; its `files`, and the bytes of its archive."""
    files, name, pieces, prefix = FORMS[form]
    data = packed(tmp_path / "made" / name, sounds()).read_bytes()
    parts = cut(data, pieces, prefix) if pieces else {name: data}
    on_hub(tmp_path, {"table.csv": table(), **parts})
    return files, len(data)


def archive_bytes(server: Loopback) -> int:
    return sum(one.sent for one in server.requests if "/resolve/" in one.path and not one.path.endswith(".csv"))


SPLITS = "{train: train, test: test}"
CONFIGS = "configs:\n  en: {default: true, language: en}\n  de: {default: true, language: de}\n  fr: {language: fr}\n"
COLUMNS = """
    reader:
      columns: {{id: id, text: text, audio: audio}}
"""


def spoken(path: Path, word: str, count: int = 4) -> None:
    """Parquet whose ids are the same in every configuration."""
    first = zlib.crc32(word.encode()) % 1000
    table = [
        {"id": f"s{n}", "text": f"{word} {n}", "audio": {"bytes": noise(first + n), "path": "a.wav"}}
        for n in range(count)
    ]
    parquet(path, table)


def configured(tmp_path: Path, *, of: tuple[str, ...] = ("en", "de", "fr")) -> Path:
    for config in of:
        for split in ("train", "test"):
            spoken(tmp_path / f"hub/team/sounds/{config}/{split}.parquet", f"{config} {split}")
    return write_card(tmp_path, hub_source('"{config}/{split}.parquet"'), splits=SPLITS, more=CONFIGS, reader=COLUMNS)


def counts(store: Path) -> dict[str, int]:
    found = select(store, "select config || '/' || split as place, count(*) n from samples group by 1 order by 1")
    return {row["place"]: row["n"] for row in found}
