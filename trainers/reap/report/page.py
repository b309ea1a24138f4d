"""The report as a page: which experts the rows reached, which each modality needs, what is pruned, what it costs.

One self-contained HTML file that runs no script. Experts are drawn as pictures, a row for each layer and a column for
each expert; what matters is in words and tables beside them.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...pages.document import render, write_page
from ..criteria import Kept, reap
from ..scores.capture import NORM, TOKENS, WEIGHT
from ..scores.expert_sums import MODALITIES, ExpertSums
from .coverage import COLUMNS, Coverage, label_of, scores_by_modality

if TYPE_CHECKING:
    import numpy as np

    from .cost import Cost

    Floats = np.ndarray[Any, np.dtype[np.float64]]

REPORT, PAGE, EXPERTS = "report.json", "report.html", "experts.parquet"
SHOWN = 16
"""Experts of a layer that are named; the report in JSON names all."""
_UNSEEN = (233, 120, 110)
_LOW, _HIGH = (226, 232, 240), (20, 62, 118)
_PRUNED, _KEPT = (214, 219, 226), (59, 110, 175)
_ALONE = {"text": (122, 122, 122), "audio": (214, 137, 16), "video": (126, 87, 194), "mixed": (46, 139, 87)}
_WIDEST = 960


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of all experts.

    Attributes:
        source: A data URI.
        width, height: As it is shown, in pixels.
    """

    title: str
    note: str
    source: str
    width: int
    height: int


def write_report(
    folder: Path, manifest: Mapping[str, Any], report: Coverage, cost: Cost | None, sums: ExpertSums
) -> None:
    """Write the report into a folder, for programs and for people; an earlier one is replaced."""
    told = {"pruning": manifest, "coverage": asdict(report), "cost": None if cost is None else asdict(cost)}
    beside = folder / f".{REPORT}"
    beside.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    beside.replace(folder / REPORT)
    _write_experts(folder / EXPERTS, manifest, sums)
    _write_page(folder / PAGE, manifest, report, cost, sums)


def _write_experts(path: Path, manifest: Mapping[str, Any], sums: ExpertSums) -> None:
    """Write a table of what each expert was given: a row for each value of a column, and one for all rows."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    is_kept = np.zeros((len(sums.layers), sums.experts), bool)
    for place, layer in enumerate(manifest["layers"]):
        is_kept[place, layer["kept"]] = True
    values = [("all", "", sums.total())]
    values += [(column, value, each) for column in COLUMNS for value, each in sums.by(column).items()]
    layers, experts = np.meshgrid(np.array(sums.layers), np.arange(sums.experts), indexing="ij")
    parts = [
        pa.table({
            "layer": pa.array(layers.reshape(-1), pa.int32()), "expert": pa.array(experts.reshape(-1), pa.int32()),
            "kept": is_kept.reshape(-1), "by": [column] * layers.size, "value": [value] * layers.size,
            "tokens": each[..., TOKENS].reshape(-1).astype(np.int64), "weight": each[..., WEIGHT].reshape(-1),
            "norm": each[..., NORM].reshape(-1), "saliency": reap(each).reshape(-1),
        })
        for column, value, each in values
    ]  # fmt: skip
    beside = path.with_name(f".{path.name}")
    pq.write_table(pa.concat_tables(parts), beside)
    beside.replace(path)


def _write_page(path: Path, manifest: Mapping[str, Any], report: Coverage, cost: Cost | None, sums: ExpertSums) -> None:
    kept: Kept = tuple(tuple(layer["kept"]) for layer in manifest["layers"])
    text = render(
        "triptych.trainers.reap.report", "page.html", style="page.css", media="data:",
        filters={"label": label_of, "share": "{:.1%}".format, "some": _some},
        title=f"Experts of {manifest['base_model']}", manifest=manifest, report=report, cost=cost,
        pictures=list(_pictures(report, sums, kept)), lines=list(_lines(report, kept)),
        strata=[(each, sums.rows[each], sums.tokens[each]) for each in sorted(sums.of)],
        swatches=_swatches(report),
    )  # fmt: skip
    write_page(path, text, force=True)


def _some(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return ", ".join(map(str, numbers[:SHOWN])) + more or "none"


def _lines(report: Coverage, kept: Kept) -> Iterator[dict[str, Any]]:
    """A line of the table for each layer."""
    for place, layer in enumerate(report.layers):
        yield {
            "layer": layer,
            "kept": len(kept[place]),
            "alone": [need.alone[place] for need in report.needs],
            "pruned": [need.pruned[place] for need in report.needs],
            "below": report.below[place],
        }


# ---- pictures


def _pictures(report: Coverage, sums: ExpertSums, kept: Kept) -> Iterator[Picture]:
    yield _choice(report, sums, kept)
    tokens = sums.total()[..., TOKENS]
    yield _heat("Tokens", "how many tokens each expert was given; dark is many, on a logarithmic scale; red is none",
                _logarithmic(tokens), tokens == 0)  # fmt: skip
    seen = sums.by_modality()
    for name in MODALITIES:
        if name in seen:
            values = scores_by_modality(sums)[name]
            yield _heat(f"Saliency, {label_of(name)}",
                        "of the largest in its layer; red: no token of these rows was given to the expert",
                        _relative(values), seen[name][..., TOKENS] == 0)  # fmt: skip


def _logarithmic(values: Floats) -> Floats:
    import numpy as np

    found = np.log1p(values)
    scaled: Floats = found / max(float(found.max()), 1e-12)
    return scaled


def _relative(values: Floats) -> Floats:
    import numpy as np

    most = values.max(axis=1, keepdims=True)
    shares: Floats = np.divide(values, most, out=np.zeros_like(values), where=most > 0)
    return shares


def _heat(title: str, note: str, shares: Floats, unseen: Any) -> Picture:
    import numpy as np

    low, high = np.array(_LOW, float), np.array(_HIGH, float)
    colours = low + shares[..., None] * (high - low)
    colours[unseen] = _UNSEEN
    return _picture(title, note, colours)


def _choice(report: Coverage, sums: ExpertSums, kept: Kept) -> Picture:
    """Kept and pruned experts, and those that one modality alone would keep."""
    import numpy as np

    colours = np.empty((len(sums.layers), sums.experts, 3))
    colours[:] = _PRUNED
    for place, layer in enumerate(kept):
        colours[place, list(layer)] = _KEPT
    for need in report.needs if len(report.needs) > 1 else ():
        for place, layer in enumerate(need.alone):
            # A darker shade: kept. A lighter one: the modality alone would keep it, and it is pruned.
            for expert in layer:
                own = np.array(_ALONE[need.modality], float)
                colours[place, expert] = own if expert in kept[place] else own + 0.6 * (255 - own)
    return _picture("What is kept", "a row for each layer, a column for each expert", colours)


def _swatches(report: Coverage) -> list[Picture]:
    """The colours of the picture of what is kept."""
    import numpy as np

    named: list[tuple[str, Any]] = [("kept", _KEPT), ("pruned", _PRUNED)]
    for need in report.needs if len(report.needs) > 1 else ():
        own = np.array(_ALONE[need.modality], float)
        named += [(f"only {label_of(need.modality)} would keep it: kept", own),
                  (f"only {label_of(need.modality)} would keep it: pruned", own + 0.6 * (255 - own))]  # fmt: skip
    return [_picture(title, "", np.array(colour, float).reshape(1, 1, 3), cell=12) for title, colour in named]


def _picture(title: str, note: str, colours: Any, *, cell: int | None = None) -> Picture:
    """A picture of cells as PNG (8 bits for each of red, green and blue; no filter)."""
    import numpy as np

    rows, columns, _ = colours.shape
    size = cell or max(2, min(16, _WIDEST // columns))
    pixels = np.clip(np.round(colours), 0, 255).astype(np.uint8)
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    )
    source = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return Picture(title, note, source, columns * size, rows * size)
