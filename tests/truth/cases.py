"""The cases: which utterances, in which layout, form, spelling and channels. Each becomes a dataset of the one store.

`SUITE` runs in every test run: every layout, every form, every spelling and channel once, and the pairs that public
reports were about. `PRODUCT` is the whole product of them, for `make thorough`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from truth.forms import films, sounds
from truth.layouts import LAYOUTS
from truth.spellings import COMMON, SPELLINGS
from truth.utterances import CHANNELS, SPANS, WHOLE, WHOLE_CHANNELS, Media, Utterance


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
    media: Media = Media()
    spelling: str = "start_s, end_s"
    column: str = "audio"

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        return SETS[self.what]

    @property
    def name(self) -> str:
        """A valid name of a dataset, which no other case has."""
        parts = [self.layout, self.what]
        parts += [] if self.media == Media() else [self.media.form, str(self.media.channels)]
        parts += [] if self.spelling == "start_s, end_s" else [self.spelling.replace(", ", "-")]
        parts += [] if self.column == "audio" else [self.column]
        return "-".join(parts).replace(" ", ".").replace("_", ".").lower()


SETS: dict[str, tuple[Utterance, ...]] = {
    "whole": WHOLE,
    "spans": SPANS,
    "channels": CHANNELS,
    "whole channels": WHOLE_CHANNELS,
}
STEREO = Media("wav", 2)


def _media_of(layout: str) -> Media:
    return Media("mp4") if LAYOUTS[layout].film else Media()


def _suite() -> Iterator[Case]:
    for name, layout in LAYOUTS.items():
        yield Case(name, "whole", _media_of(name))
        if layout.spans:
            yield Case(name, "spans")
        if layout.channels:
            yield Case(name, "channels", STEREO)
        if layout.spelled:
            yield from (Case(name, "spans", spelling=spelling) for spelling in COMMON)
    yield from (Case("csv", "spans", spelling=spelling) for spelling in SPELLINGS if spelling not in COMMON)
    yield Case("csv", "whole channels", STEREO)
    yield Case("lhotse", "whole channels", STEREO)
    yield Case("kaldi", "whole channels", STEREO)
    for form in sounds():
        yield Case("csv", "whole", Media(form))
        yield Case("csv", "spans", Media(form))
    yield Case("csv", "channels", Media("flac", 2))
    yield Case("csv", "spans", STEREO)
    for form in films():
        yield Case("jsonl", "whole", Media(form), column="video")
    yield Case("folder", "whole", Media("mkv"))


def _product() -> Iterator[Case]:
    for name, layout in LAYOUTS.items():
        forms = films() if layout.film else sounds()
        for form in forms:
            yield Case(name, "whole", Media(form))
            if not layout.spans:
                continue
            for spelling in SPELLINGS if layout.spelled else ["start_s, end_s"]:
                yield Case(name, "spans", Media(form), spelling)
                if layout.channels:
                    yield Case(name, "channels", Media(form, 2), spelling)


SUITE: tuple[Case, ...] = tuple(dict.fromkeys(_suite()))


def product() -> tuple[Case, ...]:
    """Every layout in every form, spelling and channel that it has; `SUITE` left out."""
    return tuple(dict.fromkeys(case for case in _product() if case not in SUITE))
