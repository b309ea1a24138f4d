"""The answers of a model to the questions of an export, while it is trained: asked as `triptych infer` asks, greedy,
and scored as `triptych evaluate` scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import UsageError
from ....shards.store.store import Store
from ....shards.store.use import using
from ...data.exports import ExportReader
from ...evaluation.intervals import Resamples
from ...evaluation.match import Matched
from ...evaluation.predictions import write_predictions
from ...evaluation.references import Given, Reference, read_export
from ...evaluation.score import Ways, score
from ...inference.answerers import Answerer
from ...inference.backends.local_model import LocalModel
from ...inference.infer import infer
from ...inference.options import InferOptions
from ...inference.sources import Asked, export
from ...inference.token_draw import DecodingOptions
from ...models.model_loading import CONVERSATION, TEXT, ready_to_answer, template_of
from .evaluations import Measurement

if TYPE_CHECKING:
    from ...evaluation.predictions import Prediction
    from ...models.training_model import TrainingModel
    from ..config.sections import EvaluationSection


_NO_INTERVALS = Resamples(0)


@dataclass(slots=True, eq=False)
class AnswerScores:
    """Measures a model by its answers.

    Attributes:
        references: What is right, for the rows that are asked.
        asked: Their questions, in the same order.
        metric: What checkpoints are compared by.
        out: The folder of the answers: a file for each evaluation.
        computing: The context of a forward pass: autocast, where weights have two formats.
        part: The rows that this rank asks, as start and stride; of a model in parts each rank asks all.
        step: The step that the model has reached, for the name of the file.
    """

    loaded: TrainingModel
    references: Sequence[Reference]
    asked: Asked
    metric: str
    max_new_tokens: int
    out: Path
    step: Callable[[], int]
    gathered: Callable[[Any], list[Any]]
    computing: Callable[[], AbstractContextManager[Any]] = nullcontext
    part: tuple[int, int] = (0, 1)
    is_main: bool = True
    _options: InferOptions = field(init=False)

    def __post_init__(self) -> None:
        decoding = DecodingOptions(max_new_tokens=self.max_new_tokens)
        self._options = InferOptions(model=str(self.loaded.folder), decoding=decoding)

    @classmethod
    def open(
        cls, section: EvaluationSection, *, loaded: TrainingModel, store: Store, out: Path, **options: Any
    ) -> AnswerScores:
        """Read what is asked, and what is right.

        Raises:
            UsageError: The export has no answers, or no metric that compares them.
        """
        asked = export(section.export, store.root, None)
        questions = asked.questions[: section.rows]
        with using(store, "evaluate") as opened:
            reader = ExportReader.open(section.export, store=opened)
            by_id = {each.id: each for each in read_export(reader, opened, Given(), ())}
        references = [by_id[question.id] for question in questions]
        made = cls(
            loaded=loaded, references=references, asked=Asked(questions, asked.export, asked.export_sha256),
            metric=section.metric or "", max_new_tokens=section.max_new_tokens, out=out, **options,
        )  # fmt: skip
        made.metric = made._metric(section.metric)
        return made

    def _metric(self, named: str | None) -> str:
        """What checkpoints are compared by: the one that is named, or the only one of the tasks."""
        found = {each.name for each in self._scores({}) if not named or each.name == named}
        if len(found) != 1:
            raise UsageError(
                f"evaluation.metric: {named or 'the rows are scored by several'}: {', '.join(sorted(found)) or 'none'}",
                hint="name one: --set evaluation.metric=wer",
            )
        return found.pop()

    def __call__(self, model: Any) -> list[Measurement]:
        first, stride = self.part
        questions = self.asked.questions[first::stride]
        found: list[Prediction] = []
        if questions:
            asked = Asked(tuple(questions), self.asked.export, self.asked.export_sha256)
            with self.computing():
                found = list(infer(asked, self._options, answerer=self._answerer(model)).predictions)
        predictions = {row.id: row for part in self.gathered(found) for row in part}
        if self.is_main:
            self.out.mkdir(parents=True, exist_ok=True)
            rows = [predictions[question.id] for question in self.asked.questions]
            write_predictions(self.out / f"step-{self.step():06d}.jsonl", rows)
        return self._scores(predictions, Resamples())

    def _answerer(self, model: Any) -> Answerer:
        kind = TEXT if self.loaded.family.name == "text" else CONVERSATION
        template = template_of(self.loaded.folder, None)
        ready = ready_to_answer(model, self.loaded.processor, kind=kind, template=template)
        options = self._options
        backend = LocalModel(
            self.loaded.folder, decoding=options.decoding, template=template, batch_size=options.batch_size,
            loaded=ready,
        )  # fmt: skip
        settings = {"model": str(self.loaded.folder), "revision": self.loaded.revision, "backend": options.answers_by,
                    "step": self.step(), "decoding": {**options.decoding.record(), "template": template}}  # fmt: skip
        return Answerer(lambda: backend, settings, together=options.batch_size)

    def _scores(self, predictions: Mapping[str, Prediction], resamples: Resamples = _NO_INTERVALS) -> list[Measurement]:
        matched = Matched(tuple(predictions.get(str(each.id)) for each in self.references), "id", ())
        scores, _ = score(self.references, matched, None, Ways(resamples=resamples))
        return [
            Measurement(
                each.metric, each.value, more_is_better=each.better == "high", selects=each.metric == self.metric,
                counts={**each.counts, "rows": each.rows, "missing": each.missing, "low": each.low, "high": each.high},
            )
            for each in scores if each.value is not None and each.compared == "answer"
        ]  # fmt: skip
