"""The page of a review: drawn rows with their media, in one HTML file.

The page's name is the SHA-256 of what it shows. The CSV files that it saves carry it, so that verdicts are never read
for other texts than those that were judged.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...errors import ProblemsFound, UsageError
from ...shards.text import encodable
from ..pages.document import check_writable, render, visible, write_page
from ..pages.media import BESIDE, EMBEDDED, LARGEST_PAGE_MB, MB, MediaFolder, Medium, embedded_bytes, load_medium
from .draw import draw
from .options import VERDICTS, MakeOptions
from .rows import Candidates, ReviewRow


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """A page that was written.

    Attributes:
        name: The name that the CSV files carry.
        candidates: How many rows could be drawn.
        strata: Stratum -> rows drawn of it and rows that there are.
        bytes: The size of the page; `media_bytes` is that of the media, in the page or beside it.
    """

    path: Path
    name: str
    rows: int
    candidates: int
    bytes: int
    media_bytes: int
    media_folder: Path | None
    of: str = ""
    by: str | None = None
    strata: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    without_prediction: Sequence[str] = ()
    extra: Sequence[str] = ()


def make_page(candidates: Candidates, options: MakeOptions) -> ReviewPage:
    """Draw rows and write the page.

    Raises:
        ProblemsFound: There is nothing to draw.
        UsageError: A medium cannot be read, or the page would be too large.
    """
    check_writable(options.out)
    if not candidates.strata:
        raise ProblemsFound("There is no row to review: none has a prediction.")
    ids = draw(candidates.strata, options.samples, seed=options.seed, stratified=options.by is not None)
    rows = candidates.read(ids)
    if not candidates.predictions and not any(row.answer for row in rows):
        raise UsageError("The rows have no answers of their own to review.", hint="review a model's: --pred FILE")
    media = {path: _load(path, kind, row) for row in rows for kind, path in row.media}
    folder = MediaFolder(options.out, options.embed)
    size = embedded_bytes({each.sha256: each for each in media.values()})
    if options.embed and size > LARGEST_PAGE_MB * MB:
        raise UsageError(
            f"The media of {len(rows):,} rows make a page of {size / MB:,.0f} MB; browsers open at most "
            f"{LARGEST_PAGE_MB} MB well.",
            hint="--no-embed puts them into a folder beside the page; or draw fewer with --samples",
        )
    shown = [_shown(row, media) for row in rows]
    name = _name(shown, options.by)
    for each in media.values():
        folder.add(each)
    text = render(
        "triptych.trainers.review", "page.html", style="page.css", script="page.js",
        media=EMBEDDED if options.embed else BESIDE,
        title="Review", subtitle=_subtitle(candidates, len(rows), options), rows=len(rows), verdicts=VERDICTS,
        data={"page": name, "by": options.by or "", "verdicts": VERDICTS, "rows": shown}, media_sources=folder.sources,
    )  # fmt: skip
    write_page(options.out, text, force=options.force)
    return ReviewPage(
        options.out, name, len(rows), len(candidates.strata), len(text.encode()), folder.written,
        None if options.embed or not media else folder.folder, candidates.of, options.by,
        _strata(candidates, rows) if options.by is not None else {},
        candidates.without_prediction, candidates.extra,
    )  # fmt: skip


def _load(path: str, kind: str, row: ReviewRow) -> Medium:
    if urlsplit(path).scheme in ("http", "https"):
        raise UsageError(f"{row.where}: {kind} {path} is a link: a page for review holds files.")
    return load_medium(Path(path), kind, where=row.where)


def _shown(row: ReviewRow, media: Mapping[str, Medium]) -> dict[str, Any]:
    """A row as the page has it. Texts are made visible here; ids stay as they are, beside the one that is shown."""
    texts = {"question": row.question, "reference": row.reference, "chain": row.chain, "answer": row.answer}
    shown: dict[str, Any] = {name: visible(text) for name, text in texts.items() if text is not None}
    if row.choices:
        shown["choices"] = [visible(each) for each in row.choices]
    players = [
        {"kind": kind, "name": media[path].sha256, "label": visible(Path(path).name), "path": visible(path)}
        for kind, path in row.media
    ]
    identity = encodable(row.id)
    return {
        "id": identity, "shown": visible(identity), "sample": encodable(row.sample), "of": encodable(row.of),
        "by": encodable(row.stratum), "media": players, **shown,
    }  # fmt: skip


def _name(shown: Sequence[Mapping[str, Any]], by: str | None) -> str:
    """The SHA-256 of what the page shows, wherever its media lie."""
    rows = [{**row, "media": [each["name"] for each in row["media"]]} for row in shown]
    return hashlib.sha256(json.dumps([by, rows], sort_keys=True).encode()).hexdigest()[:16]


def _subtitle(candidates: Candidates, rows: int, options: MakeOptions) -> str:
    export = candidates.reader.version.reference if candidates.reader is not None else ""
    parts = [
        f"answers of {candidates.of}" if candidates.of else "",
        f"predictions {candidates.pred.name}" if candidates.pred else "",
        f"export {export}" if export else "",
        f"{rows:,} of {len(candidates.strata):,} rows, drawn with seed {options.seed}",
    ]
    return " · ".join(filter(None, parts))


def _strata(candidates: Candidates, rows: Sequence[ReviewRow]) -> dict[str, tuple[int, int]]:
    drawn = Counter(row.stratum for row in rows)
    return {name: (drawn[name], count) for name, count in sorted(Counter(candidates.strata.values()).items())}
