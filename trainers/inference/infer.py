"""The loop of inference: rows in, predictions out, written as they come.

A batch is answered as a whole or not at all, and batches lie where they lie in the asked rows, whatever was answered
before: a run that was killed and one that was not give the same file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import UsageError, amount
from ...shards.media.integrity import check_as_stored
from ...shards.media.streams import MediaError
from ...validators.metrics.edits import UNSPACED
from ...validators.metrics.vote import vote
from ..data.sound import CUT, fit, read_sound, seconds_of
from ..evaluation.predictions import Prediction, PredictionLog, write_predictions
from .answerers import Answerer, choose
from .backends.answers import LENGTH, Answer, Backend, Request
from .backends.side_by_side import side_by_side
from .done_rows import ASKED, done_rows, partial_of
from .options import InferOptions
from .prompts import Prompting
from .questions import Question
from .result import Counts, InferResult, consistency_of
from .sources import Asked
from .token_draw import seed_of

Progress = Callable[[int, int], None]


def infer(
    asked: Asked, options: InferOptions, progress: Progress | None = None, *, answerer: Answerer | None = None
) -> InferResult:
    """Ask a model and write its predictions; rows that an earlier run answered are kept.

    Args:
        answerer: Who answers; default: as the options say.

    Raises:
        UsageError: The model is not here, or OUT was made in another way.
        NetworkError: The server cannot be reached; what was answered before is kept.
    """
    started = time.monotonic()
    prompting = Prompting.of(system=options.system, template=options.user_template, examples=options.examples)
    questions = [prompting.asked(question) for question in asked.questions]
    if options.user_template and not any(question.is_plain for question in questions):
        raise UsageError("--user-template is for rows with a prompt; these are conversations.")
    wanted = questions[: options.limit]
    with closing(answerer or choose(options, wanted, prompting)) as answerer:
        settings = {**answerer.settings, "export": asked.export, "export_sha256": asked.export_sha256}
        run = _Run(answerer, options, {name: value for name, value in settings.items() if value is not None})
        if options.out is None:
            rows = {row.id: row for batch in run.answered(wanted, {}, progress) for row in batch}
            found = [rows[question.id] for question in wanted]
            answered = len(found)
        else:
            found, answered = _into_file(options.out, run, questions, wanted, progress)
    return InferResult(
        out=options.out,
        model=str(settings["model"]),
        revision=answerer.settings.get("revision"),
        counts=Counts.of(found),
        answered=answered,
        continued=len(found) - answered,
        seconds=round(time.monotonic() - started, 3),
        self_consistency=consistency_of(found, questions),
        notes=_notes(options, wanted, answerer),
        predictions=() if options.out else tuple(found),
    )


def _into_file(
    out: Path, run: _Run, questions: Sequence[Question], wanted: Sequence[Question], progress: Progress | None
) -> tuple[list[Prediction], int]:
    """Answer what is not answered yet, and write all rows in the order of the questions."""
    answered = 0
    with PredictionLog(partial_of(out)) as log:
        try:
            if run.options.force:
                log.clear()
                out.unlink(missing_ok=True)
            done = done_rows(out, questions, run.settings)
            for batch in run.answered(wanted, done, progress):
                log.append(batch)
                answered += sum(row.id not in done for row in batch)
                done |= {str(row.id): row for row in batch}
            found = [done[question.id] for question in questions if question.id in done]
            if not log.is_empty or not out.exists():
                write_predictions(out, found)
        except BaseException:
            if log.is_empty:
                log.remove()
            raise
        log.remove()
    return found, answered


def _notes(options: InferOptions, questions: Sequence[Question], answerer: Answerer) -> list[str]:
    notes = []
    if any("\n\n" in stop for stop in options.decoding.stop):
        notes.append("--stop '\\n\\n' ends an answer at its first empty line: a chain of thought has several")
    prompts = sum(bool(question.prompt.strip()) for question in questions)
    if prompts and answerer.is_open and not answerer.backend.takes_prompts:
        notes.append(f"the model only transcribes: the prompts of {amount(prompts, 'row')} were not asked")
    if sum(question.fault is not None for question in questions) == len(questions):
        notes.append("no row can be asked as it is")
    return notes


class _Run:
    """Answers batches of questions."""

    def __init__(self, answerer: Answerer, options: InferOptions, settings: dict[str, Any]) -> None:
        self.answerer = answerer
        self.options = options
        self.settings = settings

    def answered(
        self, questions: Sequence[Question], done: dict[str, Prediction], progress: Progress | None
    ) -> Iterator[list[Prediction]]:
        """Yield the rows of each batch that is not done in full."""
        size = self.answerer.together
        batches = [questions[start : start + size] for start in range(0, len(questions), size)]
        open_batches = [batch for batch in batches if any(question.id not in done for question in batch)]
        count = len(questions) - sum(map(len, open_batches))
        for rows in side_by_side(self._batch, open_batches, width=self.answerer.side_by_side):
            count += len(rows)
            if progress is not None:
                progress(count, len(questions))
            yield rows

    def _batch(self, questions: Sequence[Question]) -> list[Prediction]:
        rows = [_Row(question, self) for question in questions]
        requests = [request for row in rows for request in row.requests]
        answers = iter(self.answerer.backend.answer(requests) if requests else [])
        return [row.prediction([next(answers) for _ in row.requests]) for row in rows]

    @property
    def backend(self) -> Backend:
        return self.answerer.backend


class _Row:
    """One question on its way: its sounds, its requests, and what becomes of their answers."""

    def __init__(self, question: Question, run: _Run) -> None:
        self.question = question
        self.run = run
        self.requests: list[Request] = []
        self.fields: dict[str, Any] = {}
        self.windows = 1
        self.fault = question.fault
        if self.fault is None:
            try:
                self._ask()
            except MediaError as error:
                self.fault = f"{error.reason}: {error.detail}"

    def _ask(self) -> None:
        backend, options = self.run.backend, self.run.options
        if backend.takes_prompts and not self.question.prompt.strip() and not self._is_heard_only():
            self.fault = "no_prompt: nothing is asked about the sound; give --prompt"
            return
        pieces = self._pieces()
        self.windows = len(pieces)
        for sample in range(options.decoding.samples_per_row):
            for window, sounds in enumerate(pieces):
                seed = seed_of(options.decoding.seed, self.question.id, sample, window)
                self.requests.append(Request(self.question, sounds, seed))

    def _is_heard_only(self) -> bool:
        """Whether the row is a conversation whose question is in the sound: voice chat."""
        return not self.question.is_plain

    def _pieces(self) -> list[tuple[Any, ...]]:
        """The sounds of each window; one of them, unless the only clip of the row is longer than the model hears."""
        backend = self.run.backend
        clips = self.question.clips
        if not clips or not backend.needs_sound(self.question):
            return [(None,) * len(clips)]
        for clip in clips:
            if clip.is_url:
                raise MediaError("url", f"{clip.path}: download it, or hand it to a server with --audio-as url")
            check_as_stored(Path(clip.path), clip.sha256)
        sounds = [read_sound(Path(clip.path), backend.rate) for clip in clips]
        self.fields["seconds"] = seconds_of(sounds, backend.rate)
        heard_s = self.run.options.max_seconds or backend.heard_s
        long = self.run.options.long
        fitted = [fit(sound, backend.rate, heard_s=heard_s, long=long) for sound in sounds]
        if len(fitted) == 1:
            if len(fitted[0]) > 1:
                self.fields["windows"] = len(fitted[0])
            elif long == CUT and len(fitted[0][0]) < len(sounds[0]):
                self.fields["heard_s"] = seconds_of(fitted[0], backend.rate)
            return [(piece,) for piece in fitted[0]]
        if any(len(pieces) > 1 for pieces in fitted):
            raise MediaError("too_long", "a row of several sounds cannot be asked in windows")
        heard = [pieces[0] for pieces in fitted]
        if sum(map(len, heard)) < sum(map(len, sounds)):
            self.fields["heard_s"] = seconds_of(heard, backend.rate)
        return [tuple(heard)]

    def prediction(self, answers: Sequence[Answer]) -> Prediction:
        """The row of the file."""
        question = self.question
        row = Prediction(
            id=question.id, audio=question.audio, source=question.source, gt=question.gt,
            fields={**self.run.settings, **self.fields, ASKED: question.digest()},
        )  # fmt: skip
        fault = self.fault or next((answer.error for answer in answers if answer.error is not None), None)
        if fault is not None:
            return replace(row, error=fault)
        texts = [self._joined(answers[start : start + self.windows]) for start in range(0, len(answers), self.windows)]
        fields = dict(row.fields)
        if any(answer.finish == LENGTH for answer in answers):
            fields["finish"] = LENGTH
        if len(texts) == 1:
            return replace(row, prediction=texts[0], fields=fields)
        found = vote(texts, question.choices)
        if found.agreement is not None:
            fields["agreement"] = round(found.agreement, 6)
        fields["abstention"] = round(found.abstention, 6)
        return replace(row, prediction=texts[found.place or 0], predictions=tuple(texts), fields=fields)

    def _joined(self, answers: Sequence[Answer]) -> str:
        """The answers to the windows of a clip as one text."""
        if len(answers) == 1:
            return answers[0].text or ""
        between = "" if (self.run.options.language or "").partition("-")[0] in UNSPACED else " "
        return between.join(text for answer in answers if (text := (answer.text or "").strip()))
