"""Words that the docs, messages, help, docstrings and comments no longer use, each with the one to use instead.

docs/reference/glossary.md says what our words mean. A failure lists file, line and what stands there.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.places import ROOT

WHERE = ("",)
"""The paths to check start with one of these; `("",)` is the whole repository except tests and cards."""

NOT_PROSE = ("tests/", "catalog/cards/")
KINDS = ("*.py", "*.md", "*.sql", "*.yaml")


@dataclass(frozen=True)
class Retired:
    """A pattern (upper or lower case), the word to use, and why."""

    pattern: str
    instead: str
    why: str


RETIRED = (
    Retired(r"\bwithout(?=\s*[.;,|)\"](?!\w))", "default: ...", "a sentence does not end on `without`"),
    Retired(r"\bno (yaml|json)\b(?! (document|array|object|column|list))", "invalid YAML", "the field's term"),
    Retired(r"\banswers otherwise\b", "is not deterministic", "the field's term"),
    Retired(r"\bhal(f a|ves of) letters?\b|\blone surrogates?\b", "unpaired surrogate", "Unicode's term"),
    Retired(r"\b(a|the|this|that|no|each|every|such) walls?\b|^walls\b", "rate limit or bot check", "what it is"),
    Retired(r"\bfilms?\b", "video, or video stream", "the field's term"),
    Retired(r"\b(a|the|this|that|each|every|one|whole|first|next|last) units?\b(?! (of|test))", "file set", "FileSet"),
    Retired(r"\bwish(es)?\b", "request, or file to fetch", "PullRequest, MirrorFile"),
    Retired(r"\bcrews?\b", "worker pool", "WorkerPool"),
    Retired(r"\bledgers?\b", "event log", "EventLog"),
    Retired(r"\btall(y|ies)\b", "quota, or counts", "Quota"),
    # Of early stopping `patience` is the field's own term.
    Retired(r"\bpatience\b(?=.{0,60}\b(retr|host|download|request))", "retry budget", "RetryBudget"),
    Retired(r"\bgrowing (file|download)s?\b", "streaming file", "StreamingFile"),
    Retired(r"\bpassed over\b", "skipped", "Skipped"),
    Retired(r"\bmade-up\b", "synthetic", "as the source is called"),
    Retired(r"(?-i:\b(Fetcher|PassedOver|GrowingFile|PartialFile|KnownIds|StoredOnce|Inflated)\b)",
            "the class's name of today", "the class was renamed"),
)  # fmt: skip


def files() -> list[Path]:
    """The tracked files of the repository that are looked at."""
    done = subprocess.run(
        ["git", "ls-files", *KINDS], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        pytest.skip("needs a git checkout")
    names = [name for name in done.stdout.splitlines() if name.startswith(WHERE) and not name.startswith(NOT_PROSE)]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


@pytest.mark.parametrize("retired", RETIRED, ids=lambda retired: retired.instead)
def test_a_retired_word_is_gone(retired: Retired) -> None:
    pattern = re.compile(retired.pattern, re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == [], f"say {retired.instead!r} ({retired.why}):\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("Datasets; all without.", "default: ..."),
        ("config.yaml: this is no YAML", "invalid YAML"),
        ("random() answers otherwise every time", "is not deterministic"),
        ("a text holds half a letter", "unpaired surrogate"),
        ("the host put up a wall", "rate limit or bot check"),
        ("The film does not decode.", "video, or video stream"),
        ("a unit that was read to its end", "file set"),
        ("all of them without a wish", "request, or file to fetch"),
        ("the ledger of a pull", "event log"),
    ],
)
def test_the_patterns_find_what_they_are_for(text: str, instead: str) -> None:
    assert [retired.instead for retired in RETIRED if re.search(retired.pattern, text, re.IGNORECASE)] == [instead]


@pytest.mark.parametrize(
    "text",
    ["in the units of the columns", "wall clock", "bot_wall", "a row without text", "no JSON document", "a unit test"],
)
def test_the_patterns_leave_good_words_alone(text: str) -> None:
    assert [retired for retired in RETIRED if re.search(retired.pattern, text, re.IGNORECASE)] == []
