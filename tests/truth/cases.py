"""The cases: which utterances, in which layout, form, spelling and channels. Each becomes a dataset of the one store.

`SUITE` runs in every test run: every layout, every form, every spelling and channel once, and the pairs that public
reports were about. `PRODUCT` is the whole product of them, for `make thorough`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from truth.chirps import RATE
from truth.forms import FORMS, films, sounds
from truth.layouts import LAYOUTS
from truth.spellings import COMMON, SPELLINGS
from truth.utterances import CHANNELS, FOUR, MIXED, MONO, OPEN, SPANS, WHOLE, WHOLE_CHANNELS, Media, Utterance


@dataclass(frozen=True)
class Case:
    """One dataset.

    Attributes:
        layout: Key of `LAYOUTS`.
        what: The name of the set of utterances.
        column: The media column of a table.
    """

    layout: str
    what: str
    media: Media = MONO
    spelling: str = "start_s, end_s"
    column: str = "audio"

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        return SETS[self.what]

    @property
    def name(self) -> str:
        """A valid name of a dataset, which no other case has."""
        parts = [self.layout, self.what]
        parts += [] if self.media == MONO else [self.media.form, str(self.media.channels)]
        parts += [] if self.spelling == "start_s, end_s" else [self.spelling.replace(", ", "-").replace("(s)", "sec")]
        parts += [] if self.column == "audio" else [self.column]
        return "-".join(parts).replace(" ", ".").replace("_", ".").lower()


SETS: dict[str, tuple[Utterance, ...]] = {
    "whole": WHOLE,
    "parts": (*WHOLE, *SPANS),
    "channels": (*CHANNELS, *WHOLE_CHANNELS),
    "open": OPEN,
    "mixed": MIXED,
    "four": FOUR,
}
"""Name -> utterances: whole files, spans, channels, spans with one end, spans of all channels, channels of four."""

ONE = "jsonl"
"""The layout that is tried in every view."""
_STEREO = Media("wav", 2)
_GROUP = 12
"""Cases that share a store: each further import costs more in a store with many datasets."""


def _suite() -> Iterator[Case]:
    yield Case("csv", "whole")
    for name, layout in LAYOUTS.items():
        yield Case(name, "parts" if layout.spans else "whole", Media("mp4") if layout.film else MONO)
        if layout.channels:
            yield Case(name, "channels", _STEREO)
        if layout.spelled:
            # The readers of training files share one loop; the product tries each of them with all.
            some = COMMON if name in ("hf", "unified", "webdataset") else COMMON[1:2]
            yield from (Case(name, "parts", spelling=each) for each in (SPELLINGS if name == "csv" else some))
    yield from (Case(name, "open") for name in ("csv", "unified", "sidecar"))
    yield Case("csv", "mixed", _STEREO)
    yield Case("csv", "four", Media("wav", 4))
    yield Case("lhotse", "four", Media("wav", 4))
    for form in sounds():
        yield Case("csv", "parts", Media(form))
    yield Case("csv", "channels", Media("m4a", 2))
    for form in films():
        yield Case("jsonl", "whole", Media(form), column="video")
    yield Case("jsonl", "parts", Media("mp4"), column="video")
    yield Case("folder", "whole", Media("mkv"))
    yield from (Case("sidecar", "whole", Media(form)) for form in ("mka", "webm sound", "mp4"))


def _product() -> Iterator[Case]:
    for name, layout in LAYOUTS.items():
        for form in films() if layout.film else sounds():
            if not layout.spans:
                yield Case(name, "whole", Media(form))
                continue
            for spelling in _spellings(name):
                if "frame" not in spelling or FORMS[form].rate == RATE:
                    yield Case(name, "parts", Media(form), spelling)
            if layout.channels:
                yield Case(name, "channels", Media(form, 2))
                yield Case(name, "mixed", Media(form, 2))


def _spellings(layout: str) -> Iterable[str]:
    """One table tries all; the others those that are most common."""
    if not LAYOUTS[layout].spelled:
        return ("start_s, end_s",)
    return SPELLINGS if layout == "csv" else ("start_s, end_s", *COMMON)


SUITE: tuple[Case, ...] = tuple(sorted(dict.fromkeys(_suite()), key=lambda case: case.layout == ONE))
"""Those of `ONE` stand together: one store is exported in every view."""


def product() -> tuple[Case, ...]:
    """Every layout in every form, spelling and channel that it has; `SUITE` left out."""
    return tuple(dict.fromkeys(case for case in _product() if case not in SUITE))


def group(case: Case) -> tuple[Case, ...]:
    """The cases that share a store with one of `SUITE`."""
    first = SUITE.index(case) // _GROUP * _GROUP
    return SUITE[first : first + _GROUP]
