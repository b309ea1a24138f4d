"""A file as it is, beside what a consumer made of it: rows, media, seconds and tokens, row by row.

What a row names is read from the file itself, and the lengths of its sounds from their headers. A difference is
anything that the consumer loses, replaces or leaves as text, or does not hear to its end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from ..formats.files import read_rows
from ..formats.findings import Finding
from .client import Consumer, ask
from .drivers.media import media_of
from .said import answer_of, ends_with, label_of, rejected_of

KINDS = ("audio", "video", "image")
ENCODED = 1000
"""Rows that are encoded if no number is given; all are loaded."""

_FRAME = 0.02  # seconds: the mel frames of a sound end up to one frame before or after it
_OF_VIDEO = 1.0  # the header of a video says how long it is shown, and its sound may be shorter or longer
_SOUND_SWITCH = "USE_AUDIO_IN_VIDEO"


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that the consumer does not take as it is. `kind` is one word of what is lost; `why` is for people."""

    id: str
    kind: str
    why: str


@dataclass(slots=True)
class Verification:
    """What a consumer made of a file.

    Attributes:
        rows: Rows of the file, `loaded` of them by the consumer, `encoded` of them looked at one by one.
        outcomes: Of the rows that were encoded or lost: kept, deleted, replaced, crashed.
        media: Kind -> number of media that rows name, and of those whose features the consumer has.
        seconds: Of sound named, and of it heard; None if the consumer does not decode.
        media_tokens: Tokens of media in the consumer's rows, and in our budget where there is one.
    """

    consumer: str
    version: str
    model: str | None
    task: str | None
    rows: int = 0
    loaded: int = 0
    encoded: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    media: dict[str, tuple[int, int]] = field(default_factory=dict)
    seconds: tuple[float, float] | None = None
    media_tokens: tuple[int, int | None] | None = None
    differences: list[Difference] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether the consumer has every row as it is."""
        return not self.differences and self.loaded == self.rows

    def told(self) -> str:
        """The differences in one line."""
        lost = self.rows - self.loaded
        parts = [f"{lost:,} of {self.rows:,} rows are not loaded"] if lost else []
        parts += [f"{count:,} {kind}" for kind, count in Counter(each.kind for each in self.differences).items()]
        return ", ".join(parts)

    def counts(self) -> dict[str, Any]:
        """The numbers alone: nothing of a row that might have to be forgotten."""
        found = asdict(self)
        found["differences"] = dict(sorted(Counter(each.kind for each in self.differences).items()))
        return found


def verify_file(
    data: Path,
    consumer: Consumer,
    python: Path,
    *,
    task: str | None,
    model: str | None,
    rows: int = ENCODED,
    settings: Mapping[str, str] | None = None,
    budgets: Mapping[str, int] | None = None,
    request: Mapping[str, Any] | None = None,
) -> Verification:
    """Have a consumer load a file and compare.

    Args:
        task: The task it is loaded for.
        model: The model whose template is used; None for consumers that have none.
        rows: How many rows are encoded, from the first; 0: all.
        settings: Environment variables that training with this file needs.
        budgets: Tokens of media that we count for a row, by id.
        request: Further keys of the request, for this consumer.
    """
    asked = {"file": str(data), "task": task, "model": model, "rows": rows or None, "settings": dict(settings or {})}
    answers = ask(consumer, python, {**asked, **(request or {})})
    found = Verification(consumer.name, answers.version, model, task, answers.total, answers.loaded)
    found.outcomes = dict(sorted(Counter(row["outcome"] for row in answers.rows.values()).items()))
    in_video = bool(consumer.models) and (settings or {}).get(_SOUND_SWITCH) == "true"
    compared = _Comparison(found, in_video=in_video, budgets=budgets)
    for row in islice(_rows(data), rows or None):
        if row.get("id") in answers.rows:
            compared.add(row, answers.rows.pop(row["id"]))
    for identity, answer in answers.rows.items():  # lost beyond the rows that were encoded
        found.differences.append(Difference(str(identity), answer["outcome"], _lost(answer)))
    compared.finish()
    return found


def _rows(data: Path) -> Iterator[dict[str, Any]]:
    for _, row in read_rows(data):
        if not isinstance(row, Finding):
            yield row


class _Comparison:
    """Adds up rows and notes where they differ."""

    def __init__(self, found: Verification, *, in_video: bool, budgets: Mapping[str, int] | None) -> None:
        self.found, self.in_video, self.budgets = found, in_video, budgets
        self.named: Counter[str] = Counter()
        self.heard: Counter[str] = Counter()
        self.seconds = [0.0, 0.0]
        self.tokens = [0, 0]
        self.lengths: dict[str, float] = {}
        self.decodes = self.counts_tokens = False

    def add(self, row: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        self.found.encoded += 1
        media = media_of(row)
        if self.in_video:
            media["audio"] = [*media["audio"], *media["video"]]
        self.named.update({kind: len(paths) for kind, paths in media.items()})
        if answer["outcome"] != "kept":
            self._differs(row, str(answer["outcome"]), _lost(answer))
            return
        heard = answer.get("heard") or {}
        self.heard.update(heard)
        for kind, paths in media.items():
            if heard.get(kind, 0) != len(paths):
                self._differs(row, f"{kind}_lost", f"has {heard.get(kind, 0)} of {len(paths)} {kind}")
            elif "tags" in answer and answer["tags"][kind] != len(paths):
                self._differs(row, "place", f"has {answer['tags'][kind]} places for {len(paths)} {kind}")
        if "rejected" in answer and answer["rejected"]["heard"] != heard:
            self._differs(row, "rejected_media", "the rejected side has other media than the chosen one")
        if answer.get("literal"):
            self._differs(row, "literal_tag", f"{answer['literal']} tags of media stay text")
        if answer.get("learned") == 0:
            self._differs(row, "nothing_learned", "no token of it has a loss")
        self._taught(row, answer)
        if "seconds" in answer:
            self._seconds(row, media["audio"], float(answer["seconds"]))
        if "media_tokens" in answer:
            self._tokens(row, int(answer["media_tokens"]))

    def _taught(self, row: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Whether what is learned of a row is its own answer, label and solution."""
        rejected = answer.get("rejected", {}).get("answer")
        for side, learned, own in (
            ("", answer.get("answer"), answer_of(row)),
            ("rejected ", rejected, rejected_of(row)),
        ):
            if learned is not None and own is not None and not ends_with(learned, own):
                self._differs(row, "other_answer", f"the {side}answer that is learned is not the row's")
        if "label" in answer and label_of(row) is not None and bool(answer["label"]) is not label_of(row):
            self._differs(row, "other_label", f"its label is {answer['label']}, not {label_of(row)}")
        if "solution" in answer and answer["solution"] is None:
            self._differs(row, "no_solution", "the reward functions get no solution")
        elif "solution" in answer and answer["solution"] != row.get("solution"):
            self._differs(row, "other_solution", "the reward functions get another solution than the row's")

    def finish(self) -> None:
        kinds = [kind for kind in KINDS if self.named[kind] or self.heard[kind]]
        self.found.media = {kind: (self.named[kind], self.heard[kind]) for kind in kinds}
        if self.decodes:
            self.found.seconds = (round(self.seconds[0], 2), round(self.seconds[1], 2))
        if self.counts_tokens:
            self.found.media_tokens = (self.tokens[0], None if self.budgets is None else self.tokens[1])

    def _seconds(self, row: Mapping[str, Any], paths: list[str], heard: float) -> None:
        self.decodes = True
        named = sum(map(self._length, paths))
        self.seconds[0] += named
        self.seconds[1] += heard
        if abs(named - heard) > (_OF_VIDEO if self.in_video else _FRAME) * len(paths):
            self._differs(row, "seconds_lost", f"hears {heard:.2f} of {named:.2f} s")

    def _length(self, path: str) -> float:
        if path not in self.lengths:
            self.lengths[path] = _duration(Path(path))
        return self.lengths[path]

    def _tokens(self, row: Mapping[str, Any], counted: int) -> None:
        self.counts_tokens = True
        self.tokens[0] += counted
        if self.budgets is None:
            return
        budget = self.budgets.get(str(row["id"]))
        self.tokens[1] += budget or 0
        if budget != counted:
            self._differs(row, "budget", f"has {counted} tokens of media, but a budget of {budget}")

    def _differs(self, row: Mapping[str, Any], kind: str, why: str) -> None:
        self.found.differences.append(Difference(str(row.get("id")), kind, why))


def _duration(path: Path) -> float:
    """Seconds that the header of a file declares; 0 where it cannot be read, which the consumer then cannot either."""
    from ...shards.media.media import MediaError
    from ...shards.media.probe import probe

    try:
        return float(probe(path).fields.get("duration") or 0.0)
    except MediaError:
        return 0.0


def _lost(answer: Mapping[str, Any]) -> str:
    at = f" at {answer['stage']}" if answer.get("stage") else ""
    return f"{answer['outcome']}{at}" + (f": {answer['why']}" if answer.get("why") else "")
