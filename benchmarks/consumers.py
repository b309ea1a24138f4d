"""Every view, of real media, loaded by the program that reads it: rewrites the table of docs/explanation/consumers.md.

    python -m benchmarks.consumers [--only msswift] [--work DIR]

Needs the real media beside the repository, and the environments of the consumers (`make clients`). A further view is a
further line of `CASES`.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import triptych
import yaml

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared/data"
PAGE = ROOT / "docs/explanation/consumers.md"
BEGIN, END = "<!-- made by make consumers -->\n", "<!-- to here -->\n"


class Case(NamedTuple):
    """A view of datasets, with the options of its export."""

    view: str
    datasets: tuple[str, ...]
    what: str
    options: dict[str, Any]


def _case(view: str, datasets: str, what: str, **options: Any) -> Case:
    return Case(view, tuple(datasets.split()), what, options)


CASES = (
    _case("unified", "librispeech aishell1 sounds loud mute", "everything"),
    _case("msswift", "librispeech", "LibriSpeech", task="sft"),
    _case("msswift", "aishell1", "AISHELL-1", task="sft"),
    _case("msswift", "sounds", "Clotho, five captions", task="sft", captions="all"),
    _case("msswift", "loud", "videos with sound, the picture alone", task="sft"),
    _case("msswift", "loud", "videos with sound, in the video", task="sft", av="in-video"),
    _case("msswift", "mute", "videos without sound", task="sft"),
    _case("msswift", "librispeech sounds loud mute", "speech, sounds and videos in one file", task="sft"),
    _case("msswift", "librispeech", "LibriSpeech", task="grpo"),
    _case("msswift", "aishell1 sounds loud", "AISHELL-1, Clotho, videos", task="grpo"),
)


def main() -> int:
    """Make the table; 1 if a consumer does not take a row as it is."""
    parser = argparse.ArgumentParser(description="Views of real media, loaded by the programs that read them.")
    parser.add_argument("--only", help="one view")
    parser.add_argument("--work", type=Path, help="a folder for the store; default: a temporary one")
    options = parser.parse_args()
    cases = [case for case in CASES if options.only in (None, case.view)]
    with tempfile.TemporaryDirectory() as scratch:
        store = _fill(options.work or Path(scratch))
        lines = [line for case in cases for line in _verified(case, store)]
    if options.only is None:
        _write(lines)
    print("\n".join(lines))
    return int(any(not line.endswith(" 0 |") for line in lines))


def _fill(work: Path) -> Path:
    """A store with real speech, sounds and videos."""
    store = work / "store"
    for name in ("librispeech", "aishell1"):
        triptych.pull(name, store=store, mirror=str(DATA / "mirror"))
    videos = list(_videos())
    for name, rows in {
        "sounds": list(_sounds()),
        "loud": [row for row, has_sound in videos if has_sound],
        "mute": [row for row, has_sound in videos if not has_sound],
    }.items():
        table = work / f"{name}.jsonl"
        table.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        triptych.import_data("jsonl", table, name=name, store=store)
    return store


def _sounds() -> Iterator[dict[str, Any]]:
    """Clotho's clips with their five captions."""
    for table in sorted((DATA / "media/clotho").glob("clotho_captions_*.csv")):
        folder = table.parent / table.stem.removeprefix("clotho_captions_")
        with table.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                path = folder / row["file_name"]
                if path.is_file():
                    captions = [row[f"caption_{number}"] for number in range(1, 6)]
                    yield {"id": path.stem, "audio": str(path), "captions": captions, "task": "aac", "split": "train"}


def _videos() -> Iterator[tuple[dict[str, Any], bool]]:
    """Videos that decode, and whether they have sound."""
    listed = yaml.load((DATA / "media/MANIFEST.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    for entry in listed["files"]:
        kinds = {stream.get("type") for stream in entry.get("streams") or ()}
        if "video" in kinds and "odd_files" not in entry["path"]:
            text = entry.get("caption") or entry.get("label") or "a clip"
            path = DATA / "media" / entry["path"]
            row = {"id": entry["path"].replace("/", "-"), "video": str(path), "text": text, "task": "captioning"}
            yield row | {"split": "train"}, "audio" in kinds


def _verified(case: Case, store: Path) -> Iterator[str]:
    made = triptych.export(case.view, store=store, dataset=case.datasets, verify=True, **case.options)
    options = "".join(f" --{name} {value}" for name, value in case.options.items())
    for each in made.verified:
        media = ", ".join(f"{heard} of {named} {kind}" for kind, (named, heard) in each.media.items())
        seconds = "" if each.seconds is None else f"{each.seconds[1]:,.1f} of {each.seconds[0]:,.1f}"
        model = f", {each.model}" if each.model else ""
        print(f"{case.view}{options} {case.what}: {each.consumer}: {each.told() or 'as it is'}", file=sys.stderr)
        yield (
            f"| `{case.view}{options}` | {case.what} | {each.consumer} {each.version}{model} | {each.rows} | "
            f"{each.loaded} | {media} | {seconds} | {len(each.differences)} |"
        )


def _write(lines: list[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    titles = "| view | data | loaded by | rows | loaded | media | seconds heard | differences |\n"
    table = titles + "| --- | --- | --- | --- | --- | --- | --- | --- |\n" + "".join(f"{line}\n" for line in lines)
    PAGE.write_text(f"{head}{BEGIN}{table}{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
