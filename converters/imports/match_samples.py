"""Find the stored sample that a user's file or recording belongs to, by name.

Names are tried from the most specific to the least: the sample's id; the source id in it; the last part of the source
id; the recording that contains the sample (`extra['recording_id']`); the name of the media file if it was linked or
imported from a folder. The first kind of name that matches decides. Several samples of one recording share its
alignment; any other match of several samples is ambiguous, and nothing is guessed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from ...shards.query import connect
from ...shards.sample import sample_id
from ...shards.store.store import Store
from ..candidate import RowError
from ..files.unicode_names import composed, spellings

_COLUMNS = (
    "id, config, split, start_s, end_s, coalesce(audio.duration, video.duration), coalesce(audio.path, video.path), "
    "coalesce(audio.sha256, video.sha256), speaker, source, extra['recording_id'], extra['channel']"
)
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Target:
    """The facts about one sample that matching and alignment need; times are seconds of its media."""

    id: str
    start_s: float | None
    end_s: float | None
    duration: float | None
    media: str | None
    speaker: str | None
    channel: str | None

    def spans(self, time: float) -> bool:
        """Whether a time in the media is within the sample."""
        return (self.start_s or 0.0) <= time and (self.end_s is None or time < self.end_s)


@dataclass(slots=True)
class Match:
    """The samples matched by one name.

    Attributes:
        own: Whether the name is that of the sample itself, so that times are relative to the sample's start.
    """

    targets: list[Target] = field(default_factory=list)
    own: bool = False


class Samples:
    """The samples of one dataset, indexed by all their names."""

    def __init__(self, store: Store, dataset: str) -> None:
        own: list[defaultdict[str, list[Target]]] = [defaultdict(list) for _ in range(3)]
        shared: list[defaultdict[str, list[Target]]] = [defaultdict(list) for _ in range(2)]
        self._count = 0
        with connect(store) as connection:
            found = connection.execute(f"SELECT {_COLUMNS} FROM samples WHERE dataset = $1 ORDER BY id", [dataset])
            for row in found.fetchall():
                identity, config, split, start, end, duration, path, sha256, speaker, source, recording, channel = row
                target = Target(identity, start, end, duration, sha256, speaker, channel)
                source_id = identity.removeprefix(sample_id(dataset, config, split, "") + "/")
                for names, name in zip(own, (identity, source_id, source_id.rpartition("/")[2]), strict=True):
                    names[name].append(target)
                if recording:
                    shared[0][recording].append(target)
                for name in {_stem(path) if str(path).startswith("/") else "", _file_of(source)} - {""}:
                    shared[1][name].append(target)
                self._count += 1
        self._own, self._shared = own, shared
        self._spelled: list[dict[str, list[str]]] = [spellings(names) for names in (*own, *shared)]

    def __len__(self) -> int:
        return self._count

    def find(self, names: tuple[str, ...], channel: str | None) -> Match:
        """Return the samples of the first known name; `channel` selects one of several in a recording.

        Raises:
            RowError: No sample has such a name (`no_sample`), or several that are not one recording (`ambiguous`).
        """
        for level, known in enumerate((*self._own, *self._shared)):
            for name in names:
                # The name as it is goes first; else those that differ from it only by normalisation.
                spelled = [name] if name in known else self._spelled[level].get(composed(name), [])
                if spelled:
                    targets = [target for each in spelled for target in known[each]]
                    return self._match(name, targets, channel, own=level < len(self._own))
        raise RowError("no_sample", f"no sample is named {names[-1]}")

    def _match(self, name: str, targets: list[Target], channel: str | None, *, own: bool) -> Match:
        if channel is not None:
            matching = [target for target in targets if target.channel == channel]
            if not matching:
                detail = f"{name} has several channels, and none of its samples is marked as channel {channel}"
                raise RowError("ambiguous", detail)
            targets = matching
        if len(targets) == 1:
            return Match(targets, own=own)
        one_recording = len({target.media for target in targets}) == 1 and targets[0].media is not None
        if (
            not own
            and one_recording
            and all(target.start_s is not None or target.end_s is not None for target in targets)
        ):
            return Match(targets)
        listed = ", ".join(target.id for target in targets[:_SHOWN]) + (" ..." if len(targets) > _SHOWN else "")
        raise RowError("ambiguous", f"{len(targets)} samples match the name {name}: {listed}")


def _stem(path: str) -> str:
    return PurePosixPath(path).stem


def _file_of(source: str | None) -> str:
    """The stem of the media file that a sample came from; empty if it came from a table or manifest."""
    parts = urlsplit(source or "")
    path = PurePosixPath(unquote(parts.path))
    tables = (".csv", ".tsv", ".json", ".jsonl", ".gz", ".parquet", ".scp", ".tar", ".tgz", ".arrow", ".txt")
    return "" if parts.fragment or path.suffix.lower() in tables else path.stem
