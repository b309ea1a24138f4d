"""MS-SWIFT: loader, preprocessor, template, lazy dataset and collator, as `swift sft` and `swift rlhf` use them.

Rows are told apart by their column `id`, which stays beside the columns that training keeps. With `alone`, every row is
loaded from a file of its own: what happens to it has no cause in other rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .answers import MEDIA, answer, begin, literal_tags, parts, read_ids, words
from .processors import MODELS, make_processor, replace_what_does_not_load

MODES = {"sft": "train", "pretrain": "train", "dpo": "rlhf", "kto": "kto", "grpo": "transformers"}
BATCH = 4


def main() -> None:
    """Answer one request."""
    request, answers = begin()
    work = Path(request["work"])
    os.environ |= {"MODELSCOPE_CACHE": str(work / "modelscope"), "ENABLE_AUDIO_OUTPUT": "false"}
    replace_what_does_not_load()
    import swift

    answer(answers, {"consumer": "ms-swift", "version": swift.__version__, "model": request["model"]})
    template = _template(request, work)
    for part in parts(request):
        for each in _file(part, template, request):
            answer(answers, each)


def _template(request: dict[str, Any], work: Path) -> Any:
    from swift.model import get_processor
    from swift.template import get_template

    folder = request.get("processor") or make_processor(request["model"], work / "processor")
    processor = get_processor(str(folder), model_type=MODELS[request["model"]])
    template = get_template(processor, use_chat_template=request["task"] != "pretrain")
    template.set_mode(MODES[request["task"]])
    return template


def _file(file: Path, template: Any, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    ids = read_ids(file)
    try:
        dataset = _load(file)
    except Exception as error:  # noqa: BLE001 (the answer)
        cause = error.__cause__ or error
        lost = {"outcome": "crashed", "stage": "S0", "why": words(cause)}
        if request.get("alone") and isinstance(cause, ZeroDivisionError):
            # The row was deleted, and a data set of which nothing is left cannot be sampled.
            lost = {"outcome": "deleted", "stage": "S1"}
        yield from ({"id": each, **lost} for each in ids)
        yield {"rows": len(ids), "loaded": 0}
        return
    loaded = list(dataset["id"]) if "id" in dataset.column_names else []
    encoded = dict(_Encoder(dataset, template, request).answers(loaded)) if loaded else {}
    there = set(loaded)
    for each in ids:
        if each in encoded or each not in there:
            yield {"id": each, **encoded.get(each, {"outcome": "deleted", "stage": "S1"})}
    yield {"rows": len(ids), "loaded": len(loaded)}


def _load(file: Path) -> Any:
    from swift.dataset import load_dataset

    # `num_proc=1` would start a process for every map.
    return load_dataset(str(file), num_proc=None, load_from_cache_file=False, remove_unused_columns=False)[0]


class _Encoder:
    """Encodes the rows of a loaded data set in order, and batches them."""

    def __init__(self, dataset: Any, template: Any, request: dict[str, Any]) -> None:
        from swift.dataset.preprocessor import RowPreprocessor

        self.task, self.template = request["task"], template
        self.alone = bool(request.get("alone"))
        self.has_another = False  # whether another row was seen to take the place of one
        self.dataset = dataset
        if self.task != "grpo":  # GRPO keeps every column for its reward functions
            self.dataset = RowPreprocessor.remove_useless_columns(dataset)
        self.wanted = min(request.get("rows") or len(dataset), len(dataset))

    def answers(self, ids: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Id and answer of every row."""
        batch: list[tuple[str, dict[str, Any], Any]] = []
        for number, each in enumerate(ids):
            if number >= self.wanted:
                break
            found, encoded = self._row(number)
            if encoded is None:
                yield each, found
                continue
            batch.append((each, found, encoded))
            if len(batch) == BATCH:
                yield from self._collated(batch)
                batch = []
        yield from self._collated(batch)

    def _row(self, number: int) -> tuple[dict[str, Any], Any]:
        if self.task == "grpo":
            return self._prompt(number)
        try:
            return self._measured(self.dataset[number])
        except Exception as error:  # noqa: BLE001 (the answer)
            return {"outcome": self._replaced(number), "stage": "S2", "why": words(error)}, None

    def _replaced(self, number: int) -> str:
        """What the lazy dataset of training gives in place of a row that cannot be encoded."""
        from swift.dataset import LazyLLMDataset

        if self.alone or self.has_another:
            return "replaced"  # alone, there is no other row to be taken
        asked = _Asked(self.dataset)
        try:
            LazyLLMDataset(asked, self.template.encode, random_state=0)[number]
        except ValueError:
            return "crashed"
        self.has_another = asked.last != number
        return "replaced" if self.has_another else "kept"

    def _prompt(self, number: int) -> tuple[dict[str, Any], Any]:
        """A row as GRPO samples answers to it: without its last answer. A row that fails stops training."""
        from swift.utils import remove_response

        row = dict(self.dataset[number])
        try:
            remove_response(row["messages"])
            found, encoded = self._measured(row)
        except Exception as error:  # noqa: BLE001 (the answer)
            return {"outcome": "crashed", "stage": "S2", "why": words(error)}, None
        return found | {"solution": row.get("solution")}, encoded

    def _measured(self, row: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        encoded = self.template.encode(row, return_length=True, return_template_inputs=True)
        inputs = encoded.pop("template_inputs")
        sides = ["chosen_", "rejected_"] if self.task in ("dpo", "kto") else [""]
        found = {
            "outcome": "kept",
            "stage": None,
            "tags": {kind: getattr(inputs, f"{kind}_idx") for kind in MEDIA},
            **self._heard(encoded, sides[0]),
        }
        if self.task == "dpo":
            found["rejected"] = self._heard(encoded, "rejected_")
        if self.task == "kto":
            found["label"] = encoded["label"]
        return found, encoded

    def _heard(self, encoded: dict[str, Any], side: str) -> dict[str, Any]:
        """The media of one side of a row, from its features; tokens as the model sees them."""
        ids = encoded[f"{side}input_ids"]
        heard = {kind: len(_some(encoded.get(f"{side}{kind}_grid_thw"))) for kind in ("image", "video")}
        mask = encoded.get(f"{side}feature_attention_mask")
        frames = [] if mask is None else mask.sum(-1).tolist()
        media = sum(ids.count(token) for token in self._media_tokens())
        tokens = len(ids)
        if frames and self.template.__class__.__name__ == "Qwen2AudioTemplate":
            # One token stands for each sound; the model puts as many in its place as the encoder makes.
            media = sum(((length - 1) // 2 + 1 - 2) // 2 + 1 for length in frames)
            tokens += media - len(frames)
        labels = encoded.get(f"{side}labels")
        return {
            "heard": heard | {"audio": len(frames)},
            "literal": literal_tags(self.template.tokenizer.decode(ids)),
            "seconds": round(sum(frames) * 160 / 16000, 2),
            "media_tokens": media,
            "tokens": tokens,
            "learned": None if labels is None else sum(label != -100 for label in labels),
            "answer": None if labels is None else self._text([label for label in labels if label != -100]),
        }

    def _text(self, ids: list[int]) -> str:
        return str(self.template.tokenizer.decode(ids))

    def _media_tokens(self) -> list[int]:
        tokens = [getattr(self.template.processor, f"{kind}_token", None) for kind in MEDIA]
        return [self.template.tokenizer.convert_tokens_to_ids(token) for token in tokens if token]

    def _collated(self, batch: list[tuple[str, dict[str, Any], Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
        if not batch:
            return
        problem: dict[str, Any] = {}
        try:
            self.template.data_collator([encoded for _, _, encoded in batch])
        except Exception as error:  # noqa: BLE001 (the answer)
            problem = {"outcome": "crashed", "stage": "S3", "why": words(error)}
        for each, found, _ in batch:
            yield each, found | problem


class _Asked:
    """A data set that knows which row it was last asked for."""

    def __init__(self, dataset: Any) -> None:
        self.dataset, self.last = dataset, -1

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, number: int) -> Any:
        self.last = number
        return self.dataset[number]


def _some(value: Any) -> Any:
    return () if value is None else value
