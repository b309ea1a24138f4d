"""Cards whose files are but tables of clips, the tables, and pulls of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.remotes import options
from support.stores import check_accounts, leftovers
from triptych.catalog.pull.options import PullOptions
from triptych.catalog.pull.pull import PullResult, check_request
from triptych.catalog.pull.pull import pull as pull_dataset
from triptych.catalog.subset.options import Subset
from triptych.shards.store.store import Store

CARD = """
name: {name}
title: Talks
panel: S3
modality: mixed
tasks: [captioning]
languages: [en]
license: CC0-1.0
splits: {{train: train}}
sources:
  - {kind}: https://example.org/{name}/train.csv
    reader:
      annotated:
        tables: [{{file: train.csv}}]
        id: "{id}"
        columns: {{text: caption}}
        remote: {{site: {site}, url: "{url}", start: "{{start}}", end: "{{end}}", kind: video}}
"""


def write_card(folder: Path, name: str, **keys: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(CARD.format(name=name, **keys))


def write_table(mirror: Path, name: str, rows: list[str]) -> None:
    path = mirror / "example.org" / name / "train.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")


def pull_from(
    folder: Path, root: Path, name: str, *, selection: dict[str, Any] | None, samples: int | None, **remote: Any
) -> PullResult:
    given = PullOptions(
        samples=samples, mirror=str(folder / "mirror"), cards=(folder / "cards",), clips=options(**remote),
        subset=Subset.of(**(selection or {})),
    )  # fmt: skip
    result = pull_dataset(check_request(name, given), store=Store.create(root))
    check_accounts(root)
    assert leftovers(root) == []
    assert list((root / "partial").glob("clips/*")) == []
    return result
