"""LLaMA-Factory: loader, converter, processor and collator, as `llamafactory-cli train` uses them.

Besides the request's keys (`answers.py`):

    info     the entry of the file in `dataset_info.json`; default: the one in the file's folder that names it

A row that the converter empties is dropped; a row that the processor refuses stops the preprocessing of all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .answers import MEDIA, answer, begin, literal_tags, parts, read_ids, words
from .processors import make_processor, replace_what_does_not_load

TEMPLATES = {"qwen2-audio": "qwen2_audio", "qwen2.5-omni": "qwen2_omni", "qwen3-omni": "qwen3_omni_nothink"}
STAGES = {"sft": "sft", "pretrain": "pt", "dpo": "rm", "kto": "kto"}
BATCH = 4


def main() -> None:
    """Answer one request."""
    request, answers = begin()
    os.environ["DISABLE_VERSION_CHECK"] = "1"  # asks for accelerators and optional packages
    replace_what_does_not_load()
    from llamafactory.extras.env import VERSION

    answer(answers, {"consumer": "llamafactory", "version": VERSION, "model": request["model"]})
    trainer = _Trainer(request)
    for part in parts(request):
        for each in trainer.answers(part):
            answer(answers, each)


class _Trainer:
    """The parts of LLaMA-Factory that read data, set up as its command does."""

    def __init__(self, request: dict[str, Any]) -> None:
        from llamafactory.data import get_template_and_fix_tokenizer
        from llamafactory.hparams import get_train_args
        from llamafactory.model import load_tokenizer

        work = Path(request["work"])
        self.request, self.stage = request, STAGES[request["task"]]
        self.model, self.data, self.training, _, _ = get_train_args(
            {
                "model_name_or_path": str(
                    request.get("processor") or make_processor(request["model"], work / "processor")
                ),
                "stage": self.stage,
                "do_train": True,
                "finetuning_type": "lora",
                "dataset": "rows",
                "dataset_dir": str(work),
                "template": TEMPLATES[request["model"]],
                "output_dir": str(work / "output"),
                "cache_dir": str(work / "cache"),
                "overwrite_cache": True,
                "report_to": "none",
            }
        )
        loaded = load_tokenizer(self.model)
        self.tokenizer, self.processor = loaded["tokenizer"], loaded["processor"]
        self.template = get_template_and_fix_tokenizer(self.tokenizer, self.data)

    def answers(self, file: Path) -> Iterator[dict[str, Any]]:
        """An answer for every row of a file."""
        ids = read_ids(file)
        try:
            rows = self._converted(file)
        except Exception as error:  # noqa: BLE001 (the answer)
            why = words(error.__cause__ or error)
            yield from ({"id": each, "outcome": "crashed", "stage": "S0", "why": why} for each in ids)
            yield {"rows": len(ids), "loaded": 0}
            return
        wanted = min(self.request.get("rows") or len(ids), len(ids))
        lost, batch = 0, []
        for number in range(wanted):
            found, features = self._row(rows[number], before=rows[number - 1] if number else None)
            lost += found["outcome"] == "deleted"
            if features is None:
                yield {"id": ids[number], **found}
                continue
            batch.append((ids[number], found, features))
            if len(batch) == BATCH:
                yield from self._collated(batch)
                batch = []
        yield from self._collated(batch)
        yield {"rows": len(ids), "loaded": len(rows) - lost}

    def _converted(self, file: Path) -> Any:
        from llamafactory.data.loader import _load_single_dataset
        from llamafactory.data.parser import get_dataset_list

        self.data.dataset_dir = str(file.parent)
        info = self.request.get("info") or _listed(file)
        [attributes] = get_dataset_list(["rows"], {"rows": info | {"file_name": file.name}})
        if attributes.ranking != (self.stage == "rm"):
            raise ValueError("The dataset is not applicable in the current training stage.")
        return _load_single_dataset(attributes, self.model, self.data, self.training)

    def _row(self, row: dict[str, Any], *, before: dict[str, Any] | None) -> tuple[dict[str, Any], Any]:
        """The answer of a row and its features. For KTO the answer before is also set beside its question."""
        from llamafactory.data.loader import _get_dataset_processor

        processor = _get_dataset_processor(self.data, self.stage, self.template, self.tokenizer, self.processor)
        try:
            made = processor.preprocess_dataset({name: [value] for name, value in row.items()})
            if self.stage == "kto" and before is not None and any(made.values()):
                made = processor.preprocess_dataset({name: [before[name], value] for name, value in row.items()})
        except Exception as error:  # noqa: BLE001 (the answer)
            return {"outcome": "crashed", "stage": "S2", "why": words(error)}, None
        if not any(made.values()):
            return {"outcome": "deleted", "stage": "S1"}, None
        features = {name: values[-1] for name, values in made.items()}
        return {"outcome": "kept", "stage": None, **self._sides(features)}, features

    def _sides(self, features: Any) -> dict[str, Any]:
        """The tokens of a row; of a pair those of either side, each with the media."""
        if "kto_tags" in features:
            return {**self._tokens(features, ""), "label": features["kto_tags"]}
        if "chosen_input_ids" in features:
            return {**self._tokens(features, "chosen_"), "rejected": self._tokens(features, "rejected_")}
        return self._tokens(features, "")

    def _tokens(self, features: Any, side: str) -> dict[str, Any]:
        ids: list[int] = features[f"{side}input_ids"]
        labels = features.get(f"{side}labels") or ids
        learned = [label for label in labels if label != -100]
        placed = {kind: getattr(self.template.mm_plugin, f"{kind}_token", None) for kind in MEDIA}
        numbers = {
            kind: self.tokenizer.convert_tokens_to_ids(token) if token else None for kind, token in placed.items()
        }
        return {
            "tags": {kind: _runs(ids, number) for kind, number in numbers.items()},
            "literal": literal_tags(self.tokenizer.decode(ids)),
            "media_tokens": sum(ids.count(number) for number in numbers.values() if number is not None),
            "tokens": len(ids),
            "learned": len(learned),
            "answer": self.tokenizer.decode(learned),
        }

    def _collated(self, batch: list[tuple[str, dict[str, Any], Any]]) -> Iterator[dict[str, Any]]:
        """The rows of a batch; each is also batched alone, to see what of its media is in the features."""
        if not batch:
            return
        problem: dict[str, Any] = {}
        try:
            self._collate([features for _, _, features in batch])
        except Exception as error:  # noqa: BLE001 (the answer)
            problem = {"outcome": "crashed", "stage": "S3", "why": words(error)}
        for each, found, features in batch:
            whole = problem or self._features(features)
            if "rejected" in found and not problem:
                found["rejected"]["heard"] = whole["heard"]
            yield {"id": each, **found, **whole}

    def _features(self, features: Any) -> dict[str, Any]:
        made = self._collate([features])
        heard = {kind: 0 if made.get(f"{kind}_grid_thw") is None else len(made[f"{kind}_grid_thw"]) for kind in MEDIA}
        named = {kind: len(features.get(f"{kind}s") or ()) for kind in MEDIA}
        mask = made.get("feature_attention_mask")
        frames = [] if mask is None else mask.sum(-1).tolist()
        sides = 2 if self.stage == "rm" else 1  # a pair has its media once for either side
        heard = {kind: count // sides for kind, count in (heard | {"audio": len(frames)}).items()}
        # The collator puts a medium of its own into a batch that has none.
        heard = {kind: min(count, named[kind]) for kind, count in heard.items()}
        return {"heard": heard, "seconds": round(sum(frames) / sides / 100, 2) if heard["audio"] else 0}

    def _collate(self, batch: list[Any]) -> Any:
        from llamafactory.data import collator

        kinds = {"rm": "PairwiseDataCollatorWithPadding", "kto": "KTODataCollatorWithPadding"}
        kind = getattr(collator, kinds.get(self.stage, "MultiModalDataCollatorForSeq2Seq"))
        collate = kind(
            tokenizer=self.tokenizer,
            template=self.template,
            processor=self.processor,
            model=None,
            label_pad_token_id=-100,
        )
        return collate([dict(features) for features in batch])


def _listed(file: Path) -> dict[str, Any]:
    """The entry of `dataset_info.json` for a file."""
    entries = json.loads((file.parent / "dataset_info.json").read_text(encoding="utf-8"))
    [info] = [entry for entry in entries.values() if entry.get("file_name") == file.name]
    return dict(info)


def _runs(ids: list[int], token: int | None) -> int:
    """How often a token begins to stand in a row: once for each medium, which the template puts between two others."""
    return sum(each == token and (number == 0 or ids[number - 1] != token) for number, each in enumerate(ids))
