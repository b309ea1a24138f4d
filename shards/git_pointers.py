"""Small text files that stand in for a file whose content was not fetched: Git LFS, git-annex."""

from __future__ import annotations

_LFS = b"version https://git-lfs.github.com/spec/"
_ANNEX = (b"/annex/objects/", b"../.git/annex/objects/", b".git/annex/objects/")


HEAD_BYTES = 64
LARGEST = 1024
"""A pointer is smaller than this."""


def pointer_kind(head: bytes) -> str | None:
    """What these first bytes are, and the command that fetches the content; None if they are no pointer."""
    if head.startswith(_LFS):
        return "a Git LFS pointer, not the file itself: run `git lfs pull` in its checkout"
    if head.startswith(_ANNEX):
        return "a git-annex pointer, not the file itself: run `git annex get` in its checkout"
    return None
