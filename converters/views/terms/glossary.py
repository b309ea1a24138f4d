"""A glossary: phrases in lower case, each with its entry (`term`, `short_description`), and other phrases for them.

    glossary.json    {"united nations": {"term": "united nations", "short_description": "..."}, ...}
    alt2main.json    {"un": "united nations", ...}

A glossary may also be a JSON list of terms or of objects with `term`, or a text file with a term in each line. Entries
that are no terms (`shards/terms.py` says which) or longer than the phrases that are looked for are never found; they
are counted. A file that is changed while an export runs is refused: the digest of what it says is part of a version's
identity, and a version keeps a copy that says the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from ....errors import UsageError
from ....shards.json_objects import distinct
from ....shards.terms import Phrases, can_be_found, is_phrase, is_term, phrase_of, plain

GLOSSARY_FILE = "glossary.json"
ALIASES_FILE = "alt2main.json"
DIGEST = "glossary_sha256"
"""The option under which a request has the digest of its glossary and aliases."""


@dataclass(frozen=True)
class Glossary:
    """The terms to look for.

    Attributes:
        entries: Phrase -> entry, whose `term` is in lower case.
        aliases: Alternative -> phrase of the glossary.
        labels: The phrases that are found, as tokens -> the text field of their term.
        unused: Entries that are never found, by reason.
    """

    entries: Mapping[str, Mapping[str, Any]]
    aliases: Mapping[str, str]
    labels: Mapping[tuple[str, ...], str]
    unused: Mapping[str, int] = field(default_factory=dict)

    @property
    def phrases(self) -> Phrases:
        return Phrases(self.labels)

    @property
    def terms(self) -> list[str]:
        """The labels of terms that can be found, in order."""
        return sorted(set(self.labels.values()))


def read(glossary: Path, aliases: Path | None, *, field: str = "term") -> tuple[Glossary, str]:
    """Read a glossary and its aliases; returns the digest of what they say, too.

    Raises:
        UsageError: A file is missing or no glossary, two entries are one phrase, or nothing in it can be found.
    """
    entries = _entries(glossary)
    others = {} if aliases is None else _aliases(aliases)
    labels: dict[tuple[str, ...], str] = {}
    unused: Counter[str] = Counter()
    for phrase, entry in entries.items():
        if not is_term(phrase):
            unused["no_term"] += 1
        elif not can_be_found(phrase_of(phrase)):
            unused["too_long"] += 1
        elif not (label := plain(str(entry.get(field) or ""))):
            unused[f"no_{field}"] += 1
        elif phrase_of(phrase) in labels:
            unused["repeated"] += 1
        else:
            labels[phrase_of(phrase)] = label
    for other, phrase in others.items():
        main = labels.get(phrase_of(phrase)) if phrase in entries else None
        if main is None:
            unused["alias_of_no_term"] += 1
        elif is_phrase(other) and can_be_found(phrase_of(other)):
            labels.setdefault(phrase_of(other), main)
        else:
            unused["alias_no_term"] += 1
    if not labels and field != "term" and unused[f"no_{field}"]:
        raise UsageError(
            f"{glossary}: no term has a {field}, as which terms are to be trained ({len(entries):,} entries).",
            hint='entries have it in a JSON object: {"paris": {"term": "Paris", "' + field + '": "..."}}; or leave out '
            "--term-field",
        )
    if not labels:
        raise UsageError(
            f"{glossary}: no entry is a term that can be found ({len(entries):,} entries).",
            hint="terms have at least three characters and at most five words",
        )
    said = json.dumps([entries, others], sort_keys=True, ensure_ascii=False)
    return Glossary(entries, others, labels, dict(unused)), sha256(said.encode()).hexdigest()


def of_options(own: Mapping[str, Any]) -> Glossary:
    """The glossary of a request, which must still say what it said.

    Raises:
        UsageError: It does not.
    """
    aliases = own["aliases"]
    return _verified(own["glossary"], aliases, own["term_field"], own[DIGEST])


@lru_cache(maxsize=2)
def _verified(glossary: str, aliases: str | None, field: str, digest: str) -> Glossary:
    found, now = read(Path(glossary), None if aliases is None else Path(aliases), field=field)
    if now != digest:
        raise UsageError(f"{glossary} is not the glossary of this version: it was changed.", hint="export again")
    return found


def complete(own: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `term-chunks`, with absolute paths and the digest of what the files say.

    Raises:
        UsageError: There is no glossary, or it is not valid.
    """
    if own["glossary"] is None:
        raise UsageError("term-chunks cuts around the terms of a glossary.", hint="name it: --glossary glossary.json")
    paths = {
        name: None if own[name] is None else str(Path(own[name]).expanduser().absolute())
        for name in ("glossary", "aliases")
    }
    aliases = paths["aliases"]
    _, digest = read(Path(str(paths["glossary"])), None if aliases is None else Path(aliases), field=own["term_field"])
    return {**own, **paths, DIGEST: digest}


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    if path.suffix.lower() == ".txt":
        given: Any = [line for line in _text(path).splitlines() if line.strip()]
    else:
        given = _json(path)
    if isinstance(given, list):
        given = dict(_named(path, number, item) for number, item in enumerate(given, 1))
    if not isinstance(given, dict):
        raise UsageError(f"{path}: a glossary is an object or a list, not {type(given).__name__}.")
    entries: dict[str, dict[str, Any]] = {}
    for phrase, value in given.items():
        entry = dict(value) if isinstance(value, dict) else {"term": phrase}
        key = plain(phrase)
        if key in entries and entries[key] != entry:
            raise UsageError(f"{path}: the phrase {key!r} is there twice, with different entries.", hint="remove one")
        if not isinstance(entry.setdefault("term", phrase), str):
            raise UsageError(f"{path}: the term of {phrase!r} is no text: {entry['term']!r}.")
        entries[key] = {**entry, "term": plain(entry["term"])}
    return dict(sorted(entries.items()))


def _named(path: Path, number: int, item: Any) -> tuple[str, dict[str, Any]]:
    entry = {"term": item} if isinstance(item, str) else item
    if not isinstance(entry, dict) or not isinstance(entry.get("term"), str):
        raise UsageError(f"{path}: element {number} is neither a text nor an object with `term`: {item!r}.")
    return entry["term"], entry


def _aliases(path: Path) -> dict[str, str]:
    given = _json(path)
    if not isinstance(given, dict):
        raise UsageError(f"{path}: aliases are an object of alternative and phrase, not {type(given).__name__}.")
    found: dict[str, str] = {}
    for other, phrase in given.items():
        if not isinstance(phrase, str):
            raise UsageError(f"{path}: {other!r} stands for {phrase!r}, which is no phrase.")
        if found.setdefault(plain(other), plain(phrase)) != plain(phrase):
            raise UsageError(f"{path}: {plain(other)!r} stands for two phrases.", hint="remove one")
    return dict(sorted(found.items()))


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path), object_pairs_hook=distinct)
    except ValueError as error:
        raise UsageError(f"{path}: not valid JSON: {error}.") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start + 1} is not UTF-8.") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.", hint="check the path of --glossary and --aliases") from error
