"""The files of a folder, sorted by path, and what of it is not read: each is refused by name, or counted and told.

A linked folder that stays inside the input is read like any other, once: under its own name if it has one in the
folder, so that loops end. What leads outside is `outside`, unless the user allows it. A link to nothing is
`missing_media`, or `missing_file` if its name is not that of media; sockets, pipes and devices are `special_file` and
never opened; a folder that cannot be listed is `unreadable`. These are refused if they matter to the reader, else
counted. A file whose name begins with a dot is read if it is media, or stands beside such media with the same stem;
other hidden files, hidden folders, and the rubbish of macOS and Windows are counted and told.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from .extensions import MEDIA_EXTENSIONS
from .inside import OUTSIDE, Inside, is_below
from .rubbish import is_hidden_folder, origin_of_file, origin_of_folder

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file: its name inside the folder, with `/`, its path, and its size in bytes."""

    name: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A name that is not read; `reason` becomes the code of its rejection, `why` is for people."""

    name: str
    reason: str
    why: str


@dataclass(slots=True)
class _Told:
    """How many names were left out for one reason, and the first of them."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        self.count += 1
        if len(self.first) < _SHOWN:
            self.first.append(name)

    def line(self, what: str) -> str:
        shown = ", ".join(self.first) + (" ..." if self.count > len(self.first) else "")
        return f"{what}: {self.count:,} ({shown})"


def is_media(name: str) -> bool:
    """Whether a name has the extension of audio, video or an image."""
    return PurePosixPath(name).suffix.lower().removeprefix(".") in MEDIA_EXTENSIONS


class Tree:
    """One walk over a folder.

    Args:
        root: The folder.
        inside: What may be read; default: the folder itself.
        matters: Whether a file of this name is an input of the reader; others are only counted if they cannot be read.
        is_content: Whether a file of this name is a sample's own; such a file is read even if its name begins with a
            dot.
        deep: Whether folders in it are entered.
    """

    def __init__(
        self,
        root: Path,
        *,
        inside: Inside | None = None,
        matters: Callable[[str], bool] = lambda name: True,
        is_content: Callable[[str], bool] = is_media,
        deep: bool = True,
    ) -> None:
        self.root = root
        self._real = os.path.realpath(root)
        self._inside = inside or Inside.of(root)
        self._matters = matters
        self._is_content = is_content
        self._deep = deep
        self._entered: set[str] = set()
        self._told: dict[str, _Told] = {}

    def walk(self) -> Iterator[Found | Refused]:
        """Files and refusals, sorted by path, component by component."""
        yield from self._folder(str(self.root), "", self._real)

    def notes(self) -> list[str]:
        """A line for each kind of what was left out; complete after the walk."""
        return [told.line(what) for what, told in sorted(self._told.items())]

    def _tell(self, what: str, name: str) -> None:
        self._told.setdefault(what, _Told()).add(name)

    def _folder(self, folder: str, prefix: str, real: str) -> Iterator[Found | Refused]:
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            yield Refused(prefix.rstrip("/"), "unreadable", f"it cannot be read ({error.strerror})")
            return
        hidden = {_stem(entry.name) for entry in entries if _is_hidden(entry) and self._is_content(entry.name)}
        for entry in entries:
            name = prefix + entry.name
            if entry.is_symlink():
                yield from self._link(entry, name, hidden)
            elif entry.is_dir(follow_symlinks=False):
                yield from self._subfolder(entry.path, name, f"{real.rstrip(os.sep)}{os.sep}{entry.name}")
            else:
                yield from self._file(entry, name, hidden)

    def _subfolder(self, path: str, name: str, real: str) -> Iterator[Found | Refused]:
        own = name.rpartition("/")[2]
        if not self._deep:
            return
        if (origin := origin_of_folder(own)) is not None:
            self._tell(f"folders {origin}, left out", f"{name}/")
        elif is_hidden_folder(own):
            self._tell("hidden folders, not entered", f"{name}/")
        elif real in self._entered or real == self._real:
            self._tell("linked folders that were read under another name", f"{name}/")
        else:
            yield from self._folder(path, f"{name}/", real)

    def _link(self, entry: os.DirEntry[str], name: str, hidden: set[str]) -> Iterator[Found | Refused]:
        real = os.path.realpath(entry.path)
        if not os.path.exists(real):  # noqa: PTH110
            if origin_of_file(entry.name) is None and (self._deep or self._matters(name)):
                reason = "missing_media" if self._is_content(name) else "missing_file"
                yield from self._refuse(name, reason, f"the link leads to nothing: {os.readlink(entry.path)}")  # noqa: PTH115
            return
        is_folder = os.path.isdir(real)  # noqa: PTH112
        if is_folder and not self._deep:
            return
        if not self._inside.has(real):
            if is_folder and (origin_of_folder(entry.name) or is_hidden_folder(entry.name)):
                self._tell("hidden folders, not entered", f"{name}/")
            elif is_folder:
                yield Refused(name, OUTSIDE, self._inside.refusal(real))
            elif origin_of_file(entry.name) is None:
                yield from self._refuse(name, OUTSIDE, self._inside.refusal(real))
        elif not is_folder:
            yield from self._file(entry, name, hidden)
        elif self._has_own_name(real) or any(is_below(real, entered) for entered in self._entered):
            self._tell("linked folders that were read under another name", f"{name}/")
        else:
            self._entered.add(real)
            yield from self._subfolder_of_link(entry.path, name, real)

    def _subfolder_of_link(self, path: str, name: str, real: str) -> Iterator[Found | Refused]:
        if is_hidden_folder(name.rpartition("/")[2]):
            self._tell("hidden folders, not entered", f"{name}/")
        else:
            yield from self._folder(path, f"{name}/", real)

    def _has_own_name(self, real: str) -> bool:
        """Whether the walk reaches a folder without following links."""
        if not is_below(real, self._real):
            return False
        parts = Path(real).relative_to(self._real).parts
        return not any(is_hidden_folder(part) or origin_of_folder(part) for part in parts)

    def _file(self, entry: os.DirEntry[str], name: str, hidden: set[str]) -> Iterator[Found | Refused]:
        if (origin := origin_of_file(entry.name)) is not None:
            self._tell(f"files {origin}, left out", name)
            return
        if _is_hidden(entry) and not self._is_content(name) and _stem(entry.name) not in hidden:
            self._tell("hidden files, left out", name)
            return
        try:
            found = entry.stat()
        except OSError as error:
            yield from self._refuse(name, "unreadable", f"it cannot be read ({error.strerror})")
            return
        if not stat.S_ISREG(found.st_mode):
            yield from self._refuse(name, "special_file", f"it is {_kind(found.st_mode)}, not a regular file")
        else:
            yield Found(name, Path(entry.path), found.st_size)

    def _refuse(self, name: str, reason: str, why: str) -> Iterator[Refused]:
        if self._matters(name):
            yield Refused(name, reason, why)
        else:
            self._tell(_COUNTED[reason], name)


_COUNTED = {
    OUTSIDE: "links that lead outside, not followed",
    "missing_media": "links to nothing",
    "missing_file": "links to nothing",
    "special_file": "sockets, pipes and devices, not opened",
    "unreadable": "files without permission to read",
}


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(".")


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _kind(mode: int) -> str:
    kinds = {stat.S_IFSOCK: "a socket", stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return kinds.get(stat.S_IFMT(mode), "a special file")
