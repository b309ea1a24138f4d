"""What a pull reads, in order: units of raw files, each from a host, a mirror, a folder or a generator.

A unit is what is opened at once: the files of one split, one archive of a whole corpus, an unpacked tree. Building
units touches at most a listing; their bytes come when `files()` is read. `fingerprint` says whether the same unit was
read to its end before.
"""

from __future__ import annotations

from ..units.whole import units_of
from .file_set import Access, FileSet
from .user_files import unit_from

__all__ = ["Access", "FileSet", "unit_from", "units_of"]
