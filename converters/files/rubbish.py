"""Files that systems and tools leave in folders, told by their names: no part of a corpus."""

from __future__ import annotations

_SYSTEM = {
    ".ds_store": "of macOS",
    ".localized": "of macOS",
    ".apdisk": "of macOS",
    "icon\r": "of macOS",
    "thumbs.db": "of Windows",
    "ehthumbs.db": "of Windows",
    "desktop.ini": "of Windows",
}
_SYSTEM_FOLDERS = {
    "__macosx": "of macOS",
    ".appledouble": "of macOS",
    ".trashes": "of macOS",
    ".fseventsd": "of macOS",
    ".spotlight-v100": "of macOS",
    ".temporaryitems": "of macOS",
    "$recycle.bin": "of Windows",
    "system volume information": "of Windows",
    "@eadir": "of Synology",
}


def origin_of_file(name: str) -> str | None:
    """Whose rubbish a file of this name is (`of macOS`); None if it may belong to a corpus."""
    if name.startswith("._"):
        return "of macOS"
    return _SYSTEM.get(name.lower())


def origin_of_folder(name: str) -> str | None:
    """Whose rubbish a folder of this name holds; None if it may belong to a corpus."""
    return _SYSTEM_FOLDERS.get(name.lower())


def is_rubbish(path: str) -> bool:
    """Whether the file at this path, of a folder or an archive, is rubbish or lies in a folder of it."""
    *folders, name = path.split("/")
    return origin_of_file(name) is not None or any(origin_of_folder(each) is not None for each in folders)


def is_hidden_folder(name: str) -> bool:
    """Whether a folder is hidden by convention (`.git`, `.cache`); `...And Justice for All` is a title."""
    return name.startswith(".") and not name.startswith("..")
