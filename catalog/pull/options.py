"""`PullOptions`: every option of `catalog pull`, with those of the subset and of clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from ...errors import UsageError
from ...options import Option, Options
from ..sources.clips.options import ClipOptions
from ..subset.options import SOME, Subset

WHERE_FROM = "Where it comes from"
KEPT = "What is kept"


@dataclass(frozen=True, kw_only=True)
class PullOptions(Options):
    """Options of a pull.

    Attributes:
        on_samples: Told how many samples are stored and how many candidates were tried.
        on_bytes: Told how many bytes of a file were read, and how many it has where that is known.
    """

    samples: Annotated[
        int | None,
        Option("Stop once the store holds N samples of the selection; a later, larger N adds to them.", SOME, min=1,
               metavar="N"),
    ] = None  # fmt: skip
    splits: Annotated[
        tuple[str, ...],
        Option("Splits or roles (train, validation, test); default: all, in the card's order.", SOME, name="split"),
    ] = ()
    configs: Annotated[
        tuple[str, ...],
        Option("Configurations (a language, a subset); default: the card's default ones.", SOME, name="config"),
    ] = ()
    subset: Subset = field(default_factory=Subset)
    evaluation: Annotated[
        str | None,
        Option("An evaluation list of the card: only its samples, annotated with its references.", SOME,
               flags=("--list",), metavar="LIST"),
    ] = None  # fmt: skip
    list_file: Annotated[Path | None, Option("That evaluation list, as a file you have.", SOME, metavar="FILE")] = None
    source: Annotated[
        str | None,
        Option("hub, archive, urls, youtube, manual or synthetic, or hub:owner/name for one of several; default: the "
               "card's first that can be reached.", WHERE_FROM),
    ] = None  # fmt: skip
    from_path: Annotated[
        Path | None,
        Option("The archive or the unpacked tree that you have; no gate and no network.", WHERE_FROM,
               flags=("--from",), metavar="PATH"),
    ] = None  # fmt: skip
    as_config: Annotated[
        str | None,
        Option("Name of the release that --from holds; default: the archive's own top folder.", WHERE_FROM,
               flags=("--as",), metavar="NAME"),
    ] = None  # fmt: skip
    mirror: Annotated[
        str | None,
        Option("Folder or URL that answers for the original hosts.", WHERE_FROM, env="TRIPTYCH_MIRROR",
               takes=str | Path, metavar="PATH_OR_URL"),
    ] = None  # fmt: skip
    cards: Annotated[
        tuple[Path, ...], Option("A folder of your own cards; they go before the others.", WHERE_FROM, metavar="DIR")
    ] = ()
    link: Annotated[bool, Option("Name local media where it lies; copy nothing.", KEPT)] = False
    keep_raw: Annotated[bool, Option("Keep downloads that were read to their end.", KEPT)] = False
    clips: ClipOptions = field(default_factory=ClipOptions)
    on_samples: Callable[[int, int], None] | None = None
    on_bytes: Callable[[int, int | None], None] | None = None

    def check(self) -> None:
        self.subset.check_end(self.samples)
        if self.from_path is not None and not self.from_path.exists():
            raise UsageError(f"--from {self.from_path}: there is no such file or folder.")
        if self.as_config is not None and self.from_path is None:
            raise UsageError("--as names the release that --from reads.", hint="--from PATH --as NAME")
        if (self.evaluation is not None or self.list_file is not None) and self.subset.ids is not None:
            raise UsageError("--list names the samples: leave out --ids.")
