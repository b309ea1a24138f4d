"""`PullOptions`: all options of `catalog pull`, including those of the subset and of clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from ...converters.files.inside import check_allowed
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
        on_samples: Called with the number of samples stored and the number of candidates tried.
        on_bytes: Called with the number of bytes read of a file, and its size if known.
    """

    samples: Annotated[
        int | None,
        Option("Stop once the store has N samples of the selection; a later pull with a larger N adds to them.", SOME,
               min=1, metavar="N"),
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
        Option("An evaluation list of the card: pull only its samples, annotated with its references.", SOME,
               flags=("--list",), metavar="LIST"),
    ] = None  # fmt: skip
    list_file: Annotated[Path | None, Option("A local copy of that evaluation list.", SOME, metavar="FILE")] = None
    source: Annotated[
        str | None,
        Option("hub, archive, urls, youtube, manual or synthetic, or hub:owner/name for one of several; default: the "
               "card's first reachable source.", WHERE_FROM),
    ] = None  # fmt: skip
    from_path: Annotated[
        Path | None,
        Option("Your own copy, an archive or an unpacked tree; checks no gate and uses no network.", WHERE_FROM,
               flags=("--from",), metavar="PATH"),
    ] = None  # fmt: skip
    allow_outside: Annotated[
        tuple[Path, ...],
        Option("A folder outside --from that its links may lead to.", WHERE_FROM, metavar="PATH"),
    ] = ()
    as_config: Annotated[
        str | None,
        Option("Name of the release in --from; default: the top folder of the archive.", WHERE_FROM,
               flags=("--as",), metavar="NAME"),
    ] = None  # fmt: skip
    mirror: Annotated[
        str | None,
        Option("Folder or URL that stands in for the original hosts.", WHERE_FROM, env="TRIPTYCH_MIRROR",
               takes=str | Path, metavar="PATH_OR_URL"),
    ] = None  # fmt: skip
    cards: Annotated[
        tuple[Path, ...], Option("A folder of your own cards; they take precedence.", WHERE_FROM, metavar="DIR")
    ] = ()
    link: Annotated[bool, Option("Reference local media in place instead of copying it.", KEPT)] = False
    keep_raw: Annotated[bool, Option("Keep downloads that were read to their end.", KEPT)] = False
    clips: ClipOptions = field(default_factory=ClipOptions)
    on_samples: Callable[[int, int], None] | None = None
    on_bytes: Callable[[int, int | None], None] | None = None

    def check(self) -> None:
        self.subset.check_end(self.samples)
        if self.from_path is not None and not self.from_path.exists():
            raise UsageError(f"--from {self.from_path}: there is no such file or folder.")
        if self.allow_outside and self.from_path is None:
            raise UsageError("--allow-outside is about the links in --from, so it needs --from.")
        check_allowed(self.allow_outside)
        if self.as_config is not None and self.from_path is None:
            raise UsageError("--as names the release in --from, so it needs --from.", hint="--from PATH --as NAME")
        if (self.evaluation is not None or self.list_file is not None) and self.subset.ids is not None:
            raise UsageError("--list already selects the samples: leave out --ids.")
