"""Asking a judge: every judgement is kept as it comes, and none that is kept is asked for again.

An answer that is no judgement, and an error that passes, is asked for again a few times; then the row is not evaluated,
and its other requests are not made. A run in which nothing comes any more ends with the error of the server: the next
one continues it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from ...errors import NetworkError
from ...shards.row_log import RowLog, json_line
from ..inference.backends.server_client import RefusedError, ServerClient
from ..inference.backends.side_by_side import side_by_side
from .cases import Call, Case, NoJudgementError
from .judgements import Key, keys_of, read_judgements
from .options import JudgeOptions

Progress = Callable[[int, int], None]
Ratings = tuple[tuple[float, ...], ...]
_TOKENS = ("prompt_tokens", "completion_tokens")


@dataclass(slots=True)
class Judged:
    """What came of the rows that were judged.

    Attributes:
        ratings: The scores of each request about a row; None where the row is not evaluated.
        errors: Why rows are not evaluated, by id.
        asked: Requests that this run made.
        tokens: Tokens of all judgements that count, those of earlier runs too, as far as the server counts them.
    """

    ratings: list[Ratings | None] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    tokens: dict[str, int] = field(default_factory=dict)


def judge(cases: Sequence[Case], options: JudgeOptions, path: Path, progress: Progress | None = None) -> Judged:
    """Judge rows, as far as they are not judged in the file.

    Raises:
        NetworkError: The server cannot be reached, or answers no row any more; what was judged is kept.
        GateError: It wants another key.
        UsageError: It does not have the model, or the file holds something else.
    """
    kept = _readable(cases, read_judgements(path))
    # Two files of predictions may hold one answer: it is judged once.
    asked = {keys_of(each): each for each in cases}
    open_cases = [each for keys, each in asked.items() if any(key not in kept for key in keys)]
    result = Judged()
    if open_cases and options.judge is not None:
        with closing(ServerClient(options.server())) as client, RowLog(path) as log:
            client.check_model(str(options.judge_model))
            run = _Run(client, log, options, kept)
            for number, _ in enumerate(side_by_side(run.judge, open_cases, width=options.judge_concurrency), start=1):
                if progress is not None:
                    progress(number, len(open_cases))
            result.asked, result.errors = run.asked, dict(sorted(run.errors.items()))
    for each in cases:
        found = _ratings(each, kept)
        result.ratings.append(found)
        if found is None:
            result.errors.setdefault(each.id, "not judged")
    result.tokens = _tokens(kept)
    return result


def _ratings(case: Case, kept: Mapping[Key, Mapping[str, Any]]) -> Ratings | None:
    """The scores of all requests about a row; None unless each of them has a judgement."""
    found = []
    for key, call in zip(keys_of(case), case.calls, strict=True):
        if key not in kept:
            return None
        found.append(call.read(kept[key]["said"]))
    return tuple(found)


def _readable(cases: Iterable[Case], kept: Mapping[Key, Mapping[str, Any]]) -> dict[Key, Mapping[str, Any]]:
    """The judgements of these rows, but for those that say something else than they did."""
    found = {}
    for case in cases:
        for key, call in zip(keys_of(case), case.calls, strict=True):
            with suppress(KeyError, NoJudgementError):
                call.read(kept[key]["said"])
                found[key] = kept[key]
    return found


def _tokens(kept: Mapping[Key, Mapping[str, Any]]) -> dict[str, int]:
    return {name: sum(int(row.get(name) or 0) for row in kept.values()) for name in _TOKENS}


class _Run:
    """The requests of one run; several threads may judge at once."""

    def __init__(
        self, client: ServerClient, log: RowLog, options: JudgeOptions, kept: dict[Key, Mapping[str, Any]]
    ) -> None:
        self.client, self.log, self.options, self.kept = client, log, options, kept
        self.asked = 0
        self.errors: dict[str, str] = {}
        self._lock = Lock()
        self._lost = 0

    def judge(self, case: Case) -> None:
        """Make the requests about a row that are not kept, up to the first that fails."""
        for key, call in zip(keys_of(case), case.calls, strict=True):
            if key in self.kept:
                continue
            try:
                error = self._ask(case, key, call)
            except NetworkError as lost:
                with self._lock:
                    self._lost += 1
                    if self._lost > self.options.judge_concurrency:
                        raise
                error = str(lost)
                self._keep(case, key, {"error": error})
            if error is not None:
                self.errors[case.id] = error
                return

    def _ask(self, case: Case, key: Key, call: Call) -> str | None:
        """Ask until there is a judgement; why there is none."""
        reason = ""
        for _ in range(self.options.judge_retries + 1):
            with self._lock:
                self.asked += 1
            try:
                said, tokens = _said(self.client.post("/chat/completions", json=dict(call.body)))
            except RefusedError as error:
                reason = f"refused: {self.client.shown(str(error))}"
                self._keep(case, key, {"error": reason})
                return reason
            with self._lock:
                self._lost = 0
            try:
                scores = call.read(said)
            except NoJudgementError as error:
                reason = f"no judgement: {error}"
                self._keep(case, key, {"said": said, "error": reason, **tokens})
                continue
            self._keep(case, key, {"said": said, "scores": list(scores), **tokens})
            return None
        return reason

    def _keep(self, case: Case, key: Key, found: dict[str, Any]) -> None:
        id, asked, name = key
        row = {
            "id": id, "metric": case.metric, "call": name, "asked": asked, **found,
            "model": self.options.judge_model, "server": self.client.shown_url,
        }  # fmt: skip
        with self._lock:
            self.log.write([json_line(row)])
            if "scores" in row:
                self.kept.setdefault(key, row)


def _said(told: Any) -> tuple[str, dict[str, int]]:
    """The text of a server's answer, and the tokens that it counts."""
    try:
        said = told["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError) as error:
        raise RefusedError("the server's answer holds no choice") from error
    usage = told.get("usage")
    counted = usage if isinstance(usage, dict) else {}
    return str(said or ""), {name: counted[name] for name in _TOKENS if isinstance(counted.get(name), int)}
