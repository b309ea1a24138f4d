"""Group the members of a shard into samples: by WebDataset's key, by names with dots of their own, from parts apart.

WebDataset's key is the name up to its first dot, so clips named `Yabc_30.000_40.000` and `Yabc_30.500_40.500` have one
key. Such a group is split at the last dots where the members say so: every text belongs to a media file of its own
name, and there are several texts of one kind, or what follows the first dot reads like a part of a name (digits after
a digit, blanks, brackets) and not like an extension. Otherwise the key is WebDataset's.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ....shards.media.media import scratch_path
from ...candidate import Blob, Rejection, RowError
from ...files.unicode_names import composed

IN_MEMORY_BYTES = 64 * 1024 * 1024
"""Media that waits for the rest of its sample is kept in memory up to this size, beyond it in the spool folder."""

_EXTENSION = re.compile(r"[A-Za-z][\w-]*(\.[A-Za-z0-9][\w-]*)*")
_DIGITS = re.compile(r"\d\.\d")


def split_name(name: str) -> tuple[str, str]:
    """Key and extension: the file name is split at its first dot, or at the last if it begins with one."""
    path = PurePosixPath(name)
    dots = len(path.name) - len(path.name.lstrip("."))
    stem, _, extension = path.name[dots:].partition(".")
    return (path.parent / f"{path.name[:dots]}{stem}").as_posix(), extension.lower()


@dataclass(slots=True)
class Member:
    """One member: a media file, or a text; `fault` if it could not be read."""

    name: str
    uri: str
    extension: str
    blob: Blob | None = None
    text: str | None = None
    fault: RowError | None = None

    def equals(self, other: Member) -> bool:
        """Whether it has the same content; media that waits in files is not compared."""
        mine, its = (None if each.blob is None else each.blob.data for each in (self, other))
        return (self.text, mine) == (other.text, its) != (None, None) and not self.fault

    @property
    def stem(self) -> str:
        """The name up to its last dot."""
        return self.name.rpartition(".")[0]

    @property
    def kind(self) -> str:
        """Its last extension."""
        return self.extension.rpartition(".")[2]


@dataclass(slots=True)
class Group:
    """The members of one key, as they are read."""

    key: str
    where: str
    members: list[Member] = field(default_factory=list)
    extensions: set[str] = field(default_factory=set)
    pickled: bool = False

    def takes(self, key: str, extension: str) -> bool:
        """Whether a member belongs to it; a key spelled otherwise (NFD) does, unless that would replace a member."""
        return key == self.key or (composed(key) == composed(self.key) and extension not in self.extensions)

    def add(self, member: Member) -> None:
        """Take a member; a second one of its extension is left out if it is equal to the first, else it is a fault."""
        if member.extension in self.extensions:
            first = next((each for each in self.members if each.extension == member.extension), None)
            if first is not None and first.equals(member):
                self.discard([member])
                return
            detail = f"the shard has another .{member.extension} of the key {self.key}, and they differ"
            member.fault = RowError("duplicate_member", detail, file=member.uri)
        self.members.append(member)

    def is_whole(self) -> bool:
        """Whether it has media and a text, so that no part of it need be elsewhere."""
        return any(member.blob is not None for member in self.members) and any(
            member.blob is None for member in self.members
        )

    def samples(self) -> list[tuple[str, list[Member]]]:
        """Key and members of each sample in it."""
        by_stem: defaultdict[str, list[Member]] = defaultdict(list)
        for member in self.members:
            by_stem[composed(member.stem)].append(member)
        if not self._is_split(by_stem):
            return [(self.key, self.members)]
        found = []
        for members in by_stem.values():
            for member in members:
                member.extension = member.kind
            found.append((members[0].stem, members))
        return found

    def _is_split(self, by_stem: dict[str, list[Member]]) -> bool:
        with_media = {stem for stem, members in by_stem.items() if any(member.blob for member in members)}
        if any(stem not in with_media for stem in by_stem) or set(by_stem) == {composed(self.key)}:
            return False
        kinds = Counter(member.kind for member in self.members if member.blob is None)
        if len(by_stem) == 1:
            return bool(kinds) or not _reads_like_extension(self.members[0])
        return any(count > 1 for count in kinds.values()) or not any(map(_reads_like_extension, self.members))

    def discard(self, members: Iterable[Member] | None = None) -> None:
        """Delete the temporary files of members that will not be used."""
        for member in self.members if members is None else members:
            if member.blob is not None and member.blob.temporary and member.blob.path is not None:
                member.blob.path.unlink(missing_ok=True)


def _reads_like_extension(member: Member) -> bool:
    """Whether what follows the first dot of a name reads like an extension: `left.wav`, not `0 (mix).wav`."""
    first = PurePosixPath(member.name).name.lstrip(".")
    stem, _, rest = first.partition(".")
    if rest.count(".") == 0:
        return True
    return _EXTENSION.fullmatch(rest) is not None and not _DIGITS.match(f"{stem[-1:]}.{rest[:1]}")


class Apart:
    """Joins the parts of keys that a shard has at several places.

    A group without media, or without a text, asks once which keys the shard has at several places; a sorted shard of
    whole samples is thus read once. What cannot be joined for certain is refused: two members of one extension, and a
    part that comes after its sample.

    Args:
        keys: Reads the keys of all members, in order.
        spool: Folder for waiting media beyond what memory may hold.
    """

    def __init__(self, keys: Callable[[], Iterable[str]], *, spool: Path | None) -> None:
        self.joined = 0
        self._keys = keys
        self._spool = spool
        self._places: dict[str, int] | None = None
        self._seen: Counter[str] = Counter()
        self._waiting: dict[str, Group] = {}
        self._gone: set[int] = set()
        self._bytes = 0

    def take(self, group: Group) -> Iterator[Group | Rejection]:
        """The samples that this group completes, and refusals."""
        key = composed(group.key)
        if self._places is None and not group.is_whole():
            self._places = _places(self._keys())
        if self._places is None or key not in self._places:
            self._gone.add(hash(key))
            yield group
            return
        self._seen[key] += 1
        held = self._waiting.get(key)
        if hash(key) in self._gone:
            if group.members:
                yield self._refusal(group)
        elif held is None:
            self._hold(key, group)
        elif not held.extensions & group.extensions:
            self._hold(key, group)
            self.joined += 1
        elif held.is_whole() and group.is_whole():
            yield self._release(key)
            self._hold(key, group)
        else:
            self._gone.add(hash(key))
            yield self._refusal(self._release(key))
            yield self._refusal(group)
        if key in self._waiting and self._seen[key] == self._places[key]:
            yield self._release(key)

    def _refusal(self, group: Group) -> Rejection:
        group.discard()
        names = ", ".join(PurePosixPath(member.name).name for member in group.members)
        detail = f"{group.where}: {names}: other members of this key are elsewhere in the shard: tar --sort=name"
        return Rejection(group.key, "members_apart", detail, group.where)

    def _hold(self, key: str, group: Group) -> None:
        for member in group.members:
            self._keep(member)
        held = self._waiting.setdefault(key, group)
        if held is not group:
            held.members += group.members
            held.extensions |= group.extensions
            held.pickled |= group.pickled

    def _keep(self, member: Member) -> None:
        if member.blob is None or member.blob.data is None:
            return
        if self._bytes + len(member.blob.data) <= IN_MEMORY_BYTES or self._spool is None:
            self._bytes += len(member.blob.data)
            return
        path = scratch_path(self._spool)
        path.write_bytes(member.blob.data)
        member.blob = Blob(member.blob.name, path=path, temporary=True)

    def _release(self, key: str) -> Group:
        group = self._waiting.pop(key)
        self._bytes -= sum(len(member.blob.data or b"") for member in group.members if member.blob is not None)
        return group

    def rest(self) -> Iterator[Rejection]:
        """Refusals of what still waits because the shard ended early."""
        while self._waiting:
            yield self._refusal(self._release(next(iter(self._waiting))))

    def close(self) -> None:
        """Delete the temporary files of what was not handed over."""
        for group in self._waiting.values():
            group.discard()


def _places(keys: Iterable[str]) -> dict[str, int]:
    """Key -> the number of places at which it stands, for keys at several."""
    runs: Counter[str] = Counter()
    before: str | None = None
    for key in keys:
        runs[key] += key != before
        before = key
    return {key: count for key, count in runs.items() if count > 1}
