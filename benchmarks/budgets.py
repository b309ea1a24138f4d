"""Budgets compared with the real processors: are the formulas' counts of tokens and frames the models' own?

    python -m benchmarks.budgets --client .venv/clients/ms-swift/bin/python --media DIR [--record FILE]

The client is a Python with transformers, torch, torchvision (`--no-deps` beside a torch for the CPU), decord, librosa
and qwen-omni-utils: `make client-ms-swift` makes one. DIR holds real recordings and videos: they are taken as they are,
and cut, joined and scaled to clips of 0.1 to 400 s at 8 to 48 kHz and to videos of many sizes, rates and lengths.
`--record` writes the headers and the counts for the tests. The exit status is 1 if a count differs.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from triptych.shards.budgets import FORMULAS, MODELS, sample_budget_sql
from triptych.shards.budgets.measure import PADDED_CODECS, measure
from triptych.shards.media.probe import MediaError, probe

CLIPS, VIDEOS = 200, 40
RECORD = ("kind", "a", "b", "width", "height", "one", "two", "three", "four")
RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
COLUMNS = (
    "audio STRUCT(frames BIGINT, sample_rate INT, duration DOUBLE), "
    "more_media STRUCT(kind VARCHAR, duration DOUBLE)[], "
    "video STRUCT(frames BIGINT, fps DOUBLE, width INT, height INT, duration DOUBLE, has_audio BOOLEAN), "
    "image STRUCT(width INT, height INT), start_s DOUBLE, end_s DOUBLE, modality VARCHAR"
)
FRAME_RATES = [Fraction(rate) for rate in ("5", "12", "24000/1001", "25", "30000/1001", "50")]
SPECIAL = {
    26: (1, Fraction(25), (320, 240)),
    27: (2, Fraction(25), (320, 240)),
    28: (3, Fraction(5), (96, 72)),
    29: (5, Fraction(30), (1200, 12)),
    30: (2_600, Fraction(5), (64, 48)),
    31: (770, Fraction(5), (1280, 720)),
    32: (900, Fraction(12), (72, 96)),
}
"""Videos of few frames, of more than 768, of more than 300 large ones (which share the pixels), of extreme shape."""
DRIVER = Path(__file__).parent / "drivers" / "processor_counts.py"


def clips(media: Path, work: Path, draw: random.Random) -> list[Path]:
    """Recordings as they are, one of each kind first, and others joined to lengths from 0.1 to 400 s."""
    found = [path for path in sorted(media.rglob("*")) if _kind(path) == "audio"]
    by_kind: dict[str, list[Path]] = {}
    for path in found:
        by_kind.setdefault(path.suffix.lower(), []).append(path)
    whole = [path for kind in sorted(by_kind) for path in by_kind[kind][:12]][: CLIPS // 2]
    sources = [path for path in found if path.suffix.lower() in (".wav", ".flac")]
    return whole + [_joined(sources, work / f"{number}.wav", draw) for number in range(CLIPS - len(whole))]


def _kind(path: Path) -> str | None:
    if not path.is_file() or path.suffix.lower() in (".txt", ".json", ".csv", ".gz"):
        return None
    try:
        found = probe(path)
    except MediaError:
        return None
    return found.kind if found.fields.get("frames") else None  # of a damaged file, readers give what they please


def _joined(sources: list[Path], target: Path, draw: random.Random) -> Path:
    """Real sound of an odd number of samples at one of the rates; lengths are even on a scale of ratios."""
    import numpy as np
    import soundfile

    rate = draw.choice(RATES)
    wanted = int(0.1 * 4_000 ** draw.random() * rate)
    parts, have = [], 0
    while have < wanted:
        samples, _ = soundfile.read(str(draw.choice(sources)), dtype="int16", always_2d=True)
        parts.append(samples[: wanted - have, 0])
        have += len(parts[-1])
    soundfile.write(str(target), np.concatenate(parts), rate)
    return target


def videos(media: Path, work: Path, draw: random.Random) -> list[Path]:
    """Videos as they are (those of one video stream: of several, headers describe the first), and others scaled,
    slowed and repeated."""
    found = [path for path in sorted(media.rglob("*")) if _kind(path) == "video" and _streams(path) == 1]
    sizes = [(draw.randrange(16, 1300, 2), draw.randrange(16, 800, 2)) for _ in range(VIDEOS)]
    while len(found) < VIDEOS:
        number = len(found)
        rate = draw.choice(FRAME_RATES)
        frames, size = draw.randrange(6, 400), sizes[number]
        if number in SPECIAL:
            frames, rate, size = SPECIAL[number]
        found.append(_scaled(found[draw.randrange(10)], work / f"{number}.mp4", size, rate, frames))
    return found[:VIDEOS]


def _streams(path: Path) -> int:
    import av

    with av.open(str(path)) as container:
        return len(container.streams.video)


def _scaled(source: Path, target: Path, size: tuple[int, int], rate: Fraction, frames: int) -> Path:
    import av

    with av.open(str(source)) as container:
        pictures = [frame.reformat(*size, format="yuv420p") for frame in islice(container.decode(video=0), 50)]
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(frames):
            picture = pictures[number % len(pictures)]
            picture.pts, picture.time_base = number, 1 / rate
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return target


def counts_of(files: list[dict[str, Any]], client: str, work: Path) -> list[dict[str, Any]]:
    """The real processors' counts."""
    asked, told = work / "files.json", work / "counts.json"
    asked.write_text(json.dumps(files))
    subprocess.run([client, str(DRIVER), str(asked), str(told)], check=True)
    counted: list[dict[str, Any]] = json.loads(told.read_text())
    return counted


def compare(counted: list[dict[str, Any]]) -> list[str]:
    """A line for each count of the formulas that is not the processor's."""
    import duckdb

    connection = duckdb.connect()
    connection.execute(FORMULAS)
    connection.execute(f"CREATE TABLE sample ({COLUMNS})")
    connection.execute("INSERT INTO sample DEFAULT VALUES")
    lines = []
    for file in counted:
        found = probe(Path(file["path"])).fields
        exact = measure(Path(file["path"]), kind=file["kind"])
        if file["kind"] == "audio" and found["codec"] in PADDED_CODECS:
            found |= {"frames": exact.length, "sample_rate": 16_000}
        file["header"] = found
        given = f"SELECT * REPLACE ($1 AS {file['kind']}) FROM sample"
        (budget,) = connection.execute(f"SELECT {sample_budget_sql()} FROM ({given})", [found]).fetchall()[0]
        for model in MODELS.values():
            for name in ("audio_tokens", "video_frames", "video_tokens"):
                if model.column in file.get(name, {}):
                    real, own = file[name][model.column], budget[model.column][name]
                    if real != own:
                        lines.append(f"{file['path']}: {model.name} {name}: {real} counted, {own} by formula")
    return lines


def recorded(file: dict[str, Any]) -> str:
    """A line of the tests' table: what the formulas take, and what was counted."""
    found = file["header"]
    if file["kind"] == "audio":
        values = [found["frames"], found["sample_rate"], None, None, *file["audio_tokens"].values(), None]
    else:
        counts = (file[name][model] for model in file["video_frames"] for name in ("video_frames", "video_tokens"))
        values = [found["frames"], found["fps"], found["width"], found["height"], *counts]
    return "\t".join([file["kind"], *("-" if value is None else str(value) for value in values)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--client", required=True)
    parser.add_argument("--media", required=True, type=Path)
    parser.add_argument("--record", type=Path)
    arguments = parser.parse_args()
    draw = random.Random(10)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        files = [{"kind": "audio", "path": str(path)} for path in clips(arguments.media, work, draw)]
        files += [{"kind": "video", "path": str(path)} for path in videos(arguments.media, work, draw)]
        counted = counts_of(files, arguments.client, work)
        differing = compare(counted)
    print("\n".join(differing))
    print(f"{len(counted)} files, {len(differing)} counts differ")
    if arguments.record:
        arguments.record.write_text("\n".join(["\t".join(RECORD), *map(recorded, counted)]) + "\n")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
