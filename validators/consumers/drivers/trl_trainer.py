"""TRL: the keys and turns that it accepts, its chat template, and the model's processor over text and sounds.

TRL prepares text alone: its trainers give no sound to the model unless the user brings a collator. What is `heard` is
what such a collator gets from the processor for the sounds that a row names, in content parts or in a column.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .answers import answer, begin, literal_tags, read_ids, words
from .processors import make_processor, replace_what_does_not_load

KEYS = {
    "sft": [{"messages"}, {"prompt", "completion"}],
    "dpo": [{"prompt", "chosen", "rejected"}, {"chosen", "rejected"}],
    "kto": [{"prompt", "completion", "label"}],
    "grpo": [{"prompt"}],
}
"""The keys of the rows that the trainer of a task takes."""

_ROW_KEYS = ("messages", "prompt", "completion", "chosen", "rejected", "label")


def main() -> None:
    """Answer one request."""
    request, answers = begin()
    replace_what_does_not_load()
    import trl

    answer(answers, {"consumer": "trl", "version": trl.__version__, "model": request["model"]})
    for each in _answers(request):
        answer(answers, each)


def _answers(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    from datasets import load_dataset
    from transformers import AutoProcessor

    file, work = Path(request["file"]), Path(request["work"])
    ids = read_ids(file)
    folder = request.get("processor") or make_processor(request["model"], work / "processor")
    processor = AutoProcessor.from_pretrained(folder)
    kind = "parquet" if file.suffix == ".parquet" else "json"
    try:
        rows = load_dataset(kind, data_files=str(file), split="train", cache_dir=str(work / "cache"))
    except Exception as error:  # noqa: BLE001 (the answer)
        why = words(error.__cause__ or error)
        yield from ({"id": each, "outcome": "crashed", "stage": "S0", "why": why} for each in ids)
        yield {"rows": len(ids), "loaded": 0}
        return
    for number in range(min(request.get("rows") or len(rows), len(rows))):
        try:
            yield {
                "id": ids[number],
                "outcome": "kept",
                "stage": None,
                **_row(rows[number], processor, request["task"]),
            }
        except Exception as error:  # noqa: BLE001 (the answer)
            yield {"id": ids[number], "outcome": "crashed", "stage": "S2", "why": words(error)}
    yield {"rows": len(ids), "loaded": len(rows)}


def _row(row: dict[str, Any], processor: Any, task: str) -> dict[str, Any]:
    from trl.data_utils import is_conversational, maybe_apply_chat_template

    example = {key: row[key] for key in _ROW_KEYS if row.get(key) is not None}
    if set(example) not in KEYS[task]:
        raise KeyError(f"the trainer of {task} takes no rows with the keys {', '.join(sorted(example))}")
    if not is_conversational(example):
        raise ValueError("TRL takes it for plain text, not for a conversation")
    said = maybe_apply_chat_template(example, processor, tools=row.get("tools"))
    sides = [side for side in ("chosen", "rejected") if side in said] or [""]
    texts = [_whole(said, side) for side in sides]
    sounds = _sounds(row)
    measured = [_measured(text, sounds, processor) for text in texts]
    if task != "grpo":  # whose answers the model gives
        measured = [{**each, "answer": text} for each, text in zip(measured, texts, strict=True)]
    if "label" in example:
        measured[0]["label"] = said["label"]
    return measured[0] if len(measured) == 1 else {**measured[0], "rejected": measured[1]}


def _whole(said: dict[str, Any], side: str) -> str:
    if side:
        return str(said.get("prompt", "") + said[side])
    return str(said["text"] if "text" in said else said["prompt"] + said.get("completion", ""))


def _measured(text: str, sounds: list[str], processor: Any) -> dict[str, Any]:
    import librosa

    rate = processor.feature_extractor.sampling_rate
    waves = [librosa.load(path, sr=rate)[0] for path in sounds]
    encoded = processor(text=text, audio=waves or None, sampling_rate=rate, return_tensors="pt")
    ids = encoded["input_ids"][0].tolist()
    mask = encoded.get("feature_attention_mask")
    frames = [] if mask is None else mask.sum(-1).tolist()
    token = processor.tokenizer.convert_tokens_to_ids(processor.audio_token)
    return {
        "heard": {"image": 0, "audio": len(frames), "video": 0},
        "literal": literal_tags(text),
        "seconds": round(sum(frames) / 100, 2),
        "media_tokens": ids.count(token),
        "tokens": len(ids),
    }


def _sounds(row: dict[str, Any]) -> list[str]:
    """Paths of a row's sounds: those of content parts in order, else those of its column."""
    messages = [message for key in ("messages", "prompt", "completion", "chosen") for message in row.get(key) or ()]
    parts = [part for message in messages if isinstance(message, dict) for part in _parts(message)]
    found = [part["audio"] for part in parts if part.get("type") == "audio" and part.get("audio")]
    column = row.get("audios") or row.get("audio") or []
    return [*found] if found else [column] if isinstance(column, str) else [*column]


def _parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
