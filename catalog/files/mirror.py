"""A mirror stands in for the original hosts: `<mirror>/<host>/<path>` replaces `https://<host>/<path>`.

A mirror is a folder or a base URL. It may have a `mirror.yaml` at its root:

    about: one sentence for people
    subset: true                                # the files are smaller stand-ins for the originals
    sha256: {www.openslr.org/resources/12/test-clean.tar.gz: 31f6...}
    revisions: {owner/name: 71cacb...}          # the commit of a hub repository's files

Its checksums replace the card's. Every path, from a card or from `mirror.yaml`, is normalised and must stay inside
the mirror: paths with `..`, absolute paths, percent-encoded dots and links that lead out are refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from ...errors import UsageError
from ...shards.strict_yaml import parse_yaml
from ..sources.download.http import NotFound

if TYPE_CHECKING:
    from ..sources.download.http import HttpClient

LISTING = "mirror.yaml"
LISTING_BYTES = 4 * 1024 * 1024
_CORRECT = "Correct the file, or remove it: it is optional."
SHA256 = re.compile(r"[0-9a-fA-F]{64}")
COMMIT = re.compile(r"[0-9a-f]{40}")
HOST = re.compile(r"[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?")
WILD = re.compile(r"[*?\[]")
HARMLESS_QUERY = re.compile(r"(download|dl)=(1|true)")
"""A query that asks a host for the file instead of a web page; it does not select the file."""


@dataclass(frozen=True)
class Mirror:
    """A folder or a base URL that stands in for the original hosts. Created by `Mirror.open`.

    Attributes:
        root: The folder, or None for a base URL.
        base: The base URL without a trailing slash, or None for a folder.
        about, subset: As in `mirror.yaml`.
        sums: SHA-256 by `host/path`.
        revisions: Commits by hub repository.
    """

    root: Path | None
    base: str | None
    about: str = ""
    subset: bool = False
    sums: Mapping[str, str] = field(default_factory=dict)
    revisions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, where: str | Path, *, client: HttpClient | None = None) -> Mirror:
        """Open a mirror and read its `mirror.yaml`, if it has one.

        Args:
            where: A folder, or a base URL beginning with `http://` or `https://`.
            client: Reads `mirror.yaml` from a base URL; default: a new client.

        Raises:
            UsageError: No such folder, or an invalid `mirror.yaml`.
            NetworkError: The base URL cannot be reached.
        """
        text = str(where)
        if re.match(r"https?://", text, re.IGNORECASE):
            base = text.rstrip("/")
            listing, named = _fetched(f"{base}/{LISTING}", client), f"{base}/{LISTING}"
            return cls(None, base, **_parsed(listing, named))
        root = Path(where).expanduser()
        if not root.is_dir():
            raise UsageError(
                f"--mirror {text}: there is no such folder ({root.absolute()}).",
                hint="Give the folder that contains <host>/<path>, or a URL beginning with http:// or https://.",
            )
        root = root.resolve()
        return cls(root, None, **_parsed(_read(root / LISTING), str(root / LISTING)))

    @property
    def name(self) -> str:
        """The folder or URL of the mirror."""
        return self.base or str(self.root)

    def locate(self, url: str) -> Path | str:
        """Return where the mirror stores the file of a URL: a path in the folder, or a URL under the base.

        Raises:
            NotFound: The folder does not have it, or the URL's query selects the file. A base URL is not checked.
            UsageError: The path would leave the mirror.
        """
        key = mirror_key(url)
        if self.root is None:
            return f"{self.base}/{quote(key, safe='/:~')}"
        path = self._inside(key)
        if not path.is_file():
            raise NotFound(
                f"{url}: the mirror {self.name} has no {key}.",
                hint="Copy the file there, or pull without --mirror, or choose another --source.",
            )
        return path

    def has(self, url: str) -> bool:
        """Whether the mirror is known to have the file of a URL; for a base URL, whether `mirror.yaml` lists it."""
        key = mirror_key(url)
        return key in self.sums if self.root is None else self._inside(key).is_file()

    def sha256(self, url: str) -> str | None:
        """Return the checksum that replaces the card's, if `mirror.yaml` has one."""
        return self.sums.get(mirror_key(url))

    def glob(self, pattern: str) -> list[str]:
        """Return the sorted original URLs (`https://host/path`) of the mirror's files that match a pattern.

        Args:
            pattern: `https://host/path` or `host/path`; `*` and `?` stay within a folder, `**` does not.

        Raises:
            UsageError: A base URL without a `mirror.yaml` cannot be listed.
        """
        key = mirror_key(pattern, pattern=True)
        matches = glob_expression(key)
        if self.root is not None:
            keys = [name for name in self._walk(key) if matches.fullmatch(name)]
        elif self.sums:
            keys = [name for name in self.sums if matches.fullmatch(name)]
        else:
            raise UsageError(
                f"{pattern}: the mirror {self.name} has no {LISTING} with checksums, so it cannot be searched.",
                hint=f"Put a {LISTING} at its root, give the folder itself, or name the files.",
            )
        return [f"https://{name}" for name in sorted(keys)]

    def _walk(self, key: str) -> Iterator[str]:
        """Yield the keys of all files below the fixed folder prefix of a pattern."""
        assert self.root is not None
        fixed: list[str] = []
        for part in key.split("/")[:-1]:
            if WILD.search(part):
                break
            fixed.append(part)
        for folder, _, names in os.walk(self._inside("/".join(fixed)) if fixed else self.root):
            for name in names:
                path = Path(folder, name)
                if path.resolve().is_relative_to(self.root):
                    yield path.relative_to(self.root).as_posix()

    def _inside(self, key: str) -> Path:
        assert self.root is not None
        path = self.root / key
        if not path.resolve().is_relative_to(self.root):
            raise _leaves(key, f"a link leads out of {self.root}")
        return path


def mirror_key(url: str, *, pattern: bool = False) -> str:
    """Return the decoded and normalised `host/path` of a URL (or of `host/path` itself).

    Raises:
        UsageError: It is not such a URL, or its path would leave the mirror.
        NotFound: Its query selects the file, which a mirror cannot serve.
    """
    address = url if "://" in url else f"https://{url}"
    # A pattern's `?` is a wildcard, not a query.
    parts = urlsplit(address.replace("?", "%3F") if pattern else address)
    if parts.scheme not in ("http", "https") or not HOST.fullmatch(parts.netloc.lower()):
        raise UsageError(f"{url}: not a URL that a mirror can serve.", hint="Expected https://<host>/<path>.")
    if parts.query and not HARMLESS_QUERY.fullmatch(parts.query):
        raise NotFound(f"{url}: a mirror cannot serve a URL with a query.", hint="Choose another --source.")
    path = unquote(parts.path, errors="surrogateescape")
    segments = [part for part in path.split("/") if part not in ("", ".")]
    if any(part == ".." for part in segments):
        raise _leaves(url, "it contains '..'")
    if "\\" in path or "\0" in path or path.startswith("//"):
        raise _leaves(url, "it contains a backslash, a null byte or an absolute path")
    if re.search(r"%(2e|2f|5c|00|25)", path, re.IGNORECASE):
        raise _leaves(url, "it contains percent-encoded dots, slashes or percent signs")
    return "/".join([parts.netloc.lower(), *segments])


def _leaves(url: str, why: str) -> UsageError:
    return UsageError(
        f"{url}: refused, {why}.", hint="Paths must stay inside the mirror; correct the card or the mirror."
    )


@lru_cache(maxsize=64)
def glob_expression(pattern: str) -> re.Pattern[str]:
    """Return a glob as a regular expression: `**/` any folders, `*` and `?` within one, `[...]` a set."""
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\[!?[^\]/]+\])", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(piece) or _literal_or_set(piece) for piece in pieces), re.DOTALL)


def _literal_or_set(piece: str) -> str:
    if not re.fullmatch(r"\[!?[^\]/]+\]", piece):
        return re.escape(piece)
    negated = piece[1] == "!"
    inside = re.sub(r"([\\^\[&~|])", r"\\\1", piece[2 if negated else 1 : -1])
    return f"[{'^/' if negated else ''}{inside}]"


def _fetched(url: str, client: HttpClient | None) -> bytes | None:
    from ..sources.download.http import HttpClient

    try:
        if client is not None:
            return client.read(url, limit=LISTING_BYTES)
        with HttpClient() as new_client:
            return new_client.read(url, limit=LISTING_BYTES)
    except NotFound:
        return None


def _read(path: Path) -> bytes | None:
    if not path.is_file():
        return None
    if not path.resolve().is_relative_to(path.parent):
        raise _leaves(str(path), "a link leads out of the mirror")
    if path.stat().st_size > LISTING_BYTES:
        raise UsageError(f"{path}: larger than {LISTING_BYTES:,} bytes.", hint="Split the mirror.")
    return path.read_bytes()


def _parsed(listing: bytes | None, named: str) -> dict[str, Any]:
    """Parse and check a `mirror.yaml`; return its fields."""
    if listing is None:
        return {}
    document = _document(listing, named)
    unknown = sorted(set(map(str, document)) - {"about", "subset", "sha256", "revisions"})
    if unknown:
        raise _malformed(named, f"unknown key {unknown[0]!r}; expected about, subset, sha256 and revisions")
    about, subset = document.get("about", ""), document.get("subset", False)
    if not isinstance(about, str) or not isinstance(subset, bool):
        raise _malformed(named, "about must be text and subset true or false")
    revisions = document.get("revisions") or {}
    if not isinstance(revisions, dict) or not all(COMMIT.fullmatch(str(each)) for each in revisions.values()):
        raise _malformed(named, "revisions must map repositories to commits of 40 hexadecimal digits")
    sums = _sums(document.get("sha256") or {}, named)
    return {"about": about, "subset": subset, "sums": sums, "revisions": {str(k): str(v) for k, v in revisions.items()}}


def _document(listing: bytes, named: str) -> dict[Any, Any]:
    try:
        document = parse_yaml(listing, name=named, noun="mirror.yaml", max_bytes=LISTING_BYTES).value
    except UsageError as error:
        raise UsageError(error.message, hint=_CORRECT) from error
    if not isinstance(document, dict):
        raise _malformed(named, "expected keys about, subset and sha256")
    return document


def _sums(entries: object, named: str) -> dict[str, str]:
    if not isinstance(entries, dict):
        raise _malformed(named, "sha256 must map paths to checksums")
    sums: dict[str, str] = {}
    for path, digest in entries.items():
        if not isinstance(path, str) or not isinstance(digest, str) or not SHA256.fullmatch(digest):
            raise _malformed(named, f"sha256 of {path!r} is {digest!r}; expected 64 hexadecimal digits")
        sums[mirror_key(path)] = digest.lower()
    return sums


def _malformed(named: str, why: str) -> UsageError:
    return UsageError(f"{named}: {why}.", hint=_CORRECT)
