"""Cards whose files are but tables of clips, the tables, and pulls of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.cards import head, put_card
from support.command_line import Done, run
from support.forks import Fork
from support.loopback import Loopback
from support.remotes import Site, options
from support.stores import begin, check_accounts, leftovers
from triptych.catalog.pull.options import PullOptions
from triptych.catalog.pull.pull import PullResult, check_request
from triptych.catalog.pull.pull import pull as pull_dataset
from triptych.catalog.subset.options import Subset
from triptych.shards.store.store import Store

SOURCES = """
sources:
  - {kind}: https://example.org/{name}/train.csv
    reader:
      annotated:
        tables: [{{file: train.csv}}]
        id: "{id}"
        columns: {{text: caption}}
        remote: {{site: {site}, url: "{url}", start: "{{start}}", end: "{{end}}", kind: video}}
"""


WATCH = "https://www.youtube.com/watch?v={ytid}"


def write_card(folder: Path, name: str, **keys: str) -> None:
    about = head(name, title="Talks", task="captioning", panel="S3", modality="mixed")
    put_card(folder, name, about + SOURCES.format(name=name, **keys))


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


class Talks:
    """The dataset `talks`: videos of a scripted site, whose files lie on a loopback host."""

    def __init__(self, folder: Path, host: Loopback) -> None:
        self.folder = folder
        self.host = host
        self.site = Site(folder / "plugins")
        self.rows = ["ytid,start,end,caption"]
        self.cards = folder / "cards"
        write_card(self.cards, "talks", kind="youtube", site="youtube", id="{ytid}_{start}", url=WATCH)

    def video(self, name: str, start: float = 1, end: float = 3, **act: Any) -> str:
        """Another row; its id comes back."""
        if not act or set(act) == {"duration"}:
            act["formats"] = [self.format()]
        self.site.answer(name, **act)
        self.rows.append(f"{name},{start},{end},what is said in {name}")
        write_table(self.folder / "mirror", "talks", self.rows)
        return f"talks/train/{name}_{start}"

    def format(self, path: str = "/talk.mp4", **more: Any) -> dict[str, Any]:
        return {"format_id": "18", "url": self.host.url(path), "ext": "mp4", "height": 48, **more}

    def asked_in(self, work: Callable[[], Any]) -> list[str]:
        """Which videos the site is asked for meanwhile."""
        before = len(self.site.asked())
        work()
        return sorted(self.site.asked()[before:])

    def pull(self, root: Path, *, selection: dict[str, Any] | None = None, samples: int | None = None,
             **remote: Any) -> PullResult:  # fmt: skip
        return pull_from(self.folder, root, "talks", selection=selection, samples=samples,
                         plugin_dirs=(self.site.plugins,), **{"max_refusals": 50, **remote})  # fmt: skip

    def arguments(self, root: Path, *more: str | Path) -> list[str | Path]:
        mirror = ["--mirror", self.folder / "mirror", "--cards", self.cards]
        return ["catalog", "pull", "talks", *mirror, "--store", root, *more]

    @property
    def environment(self) -> dict[str, str]:
        """yt-dlp finds its plugins on Python's own path."""
        return {"PYTHONPATH": str(self.site.plugins / "scripted")}

    def type(self, root: Path, *more: str | Path) -> Done:
        return run("triptych", *self.arguments(root, "--private-hosts", *more), env={**os.environ, **self.environment})

    def begin(self, root: Path, *more: str | Path) -> Fork:
        return begin(*self.arguments(root, "--private-hosts", *more), env=self.environment)
