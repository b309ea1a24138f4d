"""The model card of a run: `README.md` in its folder, with the metadata that the hub reads, written from its record.

It says what the record knows and nothing else; what is not known is called unknown. The limits and risks are those of
the kind of training, not findings about this model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ....errors import DamagedError, UsageError, amount
from ....shards.strict_yaml import parse_yaml, yaml_text
from .run_json import rates_of, read_record

CARD = "README.md"
BASE_CARD = "README.base.md"
"""The card of the model that another was made of, in the folder of that."""

_FRONT_MATTER = re.compile(rb"\A---\r?\n(.*?\r?\n)---\r?$", re.DOTALL | re.MULTILINE)
_LARGEST = 1024 * 1024
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_TASKS = {
    "qwen2-audio": "audio-text-to-text",
    "qwen3-omni": "any-to-any",
    "text": "text-generation",
    "phoneme": "automatic-speech-recognition",
}
UNKNOWN = "unknown"


def write_card(folder: Path) -> None:
    """Write the card of a run beside its record."""
    scratch = folder / f".{CARD}"
    scratch.write_text(card_text(read_record(folder)), encoding="utf-8")
    scratch.replace(folder / CARD)


def put_card(folder: Path, text: str | None) -> None:
    """Give a folder that was copied from a base model a card of its own.

    The base's speaks of another model; it is kept beside it.

    Args:
        text: None: nothing is known of the model; it has no card.
    """
    if (folder / CARD).is_file():
        (folder / CARD).replace(folder / BASE_CARD)
    if text is not None:
        (folder / CARD).write_text(text, encoding="utf-8")


def front_matter_of(path: Path) -> dict[str, Any]:
    """The metadata of a model card; empty where there is none that can be read."""
    if not path.is_file() or path.stat().st_size > _LARGEST:
        return {}
    found = _FRONT_MATTER.match(path.read_bytes())
    try:
        value = parse_yaml(found[1], name=str(path), noun="card").value if found else None
    except UsageError:  # another's file, in whatever form
        return {}
    return dict(value) if isinstance(value, Mapping) else {}


def merged_card(run: Path, checkpoint: str) -> str | None:
    """The card of a model folder that a checkpoint of a run was merged into; None: the folder tells nothing of its run.

    A card that people have changed since it was written is theirs, and stays as it is.
    """
    text = (run / CARD).read_text(encoding="utf-8") if (run / CARD).is_file() else None
    try:
        record = read_record(run)
    except DamagedError:  # a folder of checkpoints, and of a card at most
        return text
    is_ours = text is None or text == card_text(record)  # a run that was killed has a record and no card
    return card_text(record, merged=checkpoint) if is_ours else text


def card_text(record: Mapping[str, Any], *, merged: str | None = None) -> str:
    """The card of a record.

    Args:
        merged: The checkpoint whose weights are in the folder of the card, a whole model; None: it is that of the run.
    """
    head = yaml_text(metadata(record, is_whole=merged is not None))
    return f"---\n{head}---\n\n" + "\n".join(_body(record, merged)).rstrip() + "\n"


def metadata(record: Mapping[str, Any], *, is_whole: bool = False) -> dict[str, Any]:
    """The metadata that the hub reads; `is_whole`: the folder is a model of its own, whatever was trained."""
    model, train = record["model"], record["exports"]["train"]
    licences = _licences(record)
    known = {name for name in licences.values() if name != UNKNOWN}
    is_one = len(set(licences.values())) == 1 and len(known) == 1
    is_lora = record["configuration"].get("lora") is not None
    found: dict[str, Any] = {"base_model": model["name"]} if model["is_on_hub"] else {}
    if is_one:
        found["license"] = known.pop().lower()
    else:  # which of them holds for this model is a question for people
        found |= {"license": "other", "license_name": "of-base-model-and-data", "license_link": "README.md#licences"}
    if train.get("languages"):
        found["language"] = list(train["languages"])
    found |= {
        "datasets": list(train["datasets"]), "library_name": "peft" if is_lora and not is_whole else "transformers",
        "pipeline_tag": _TASKS.get(model["family"], "audio-text-to-text"),
        "tags": ["triptych", record["trainer"], "lora" if is_lora else "full-fine-tuning"],
    }  # fmt: skip
    return found


def _licences(record: Mapping[str, Any]) -> dict[str, str]:
    """The licence of the base model and of each dataset."""
    model, datasets = record["model"], record["exports"]["train"]["datasets"]
    named = model.get("license_name") or model.get("license")
    found = {f"base model {model['name']}": str(named or UNKNOWN)}
    if encoder := record["about_rows"].get("speech_encoder"):
        found[f"speech encoder {encoder['name']}"] = encoder["licence"]
    for name, counts in datasets.items():
        found[f"dataset {name}"] = ", ".join(sorted(each or UNKNOWN for each in counts)) or UNKNOWN
    return found


def _body(record: Mapping[str, Any], merged: str | None) -> Iterator[str]:
    model, train = record["model"], record["exports"]["train"]
    kind = "LoRA adapters" if record["configuration"].get("lora") is not None else "all trained weights"
    yield f"# {said(model['name'])}, trained on {said(train['reference'])}"
    yield ""
    made = f"The checkpoints hold {kind}; `triptych train export` makes a whole model of one."
    if merged is not None:
        made = f"This folder is the whole model: {kind} of the checkpoint {merged} are in its weights."
    rows = train["rows"]
    if record["trainer"] == "contrastive":
        made = "Its folder `retriever` holds what was trained; `triptych retrieve` searches with it."
        rows = record["rows"]
    yield (
        f"{said(model['name'])} after `triptych train {record['trainer']}` on {amount(rows, 'row')} of the export "
        f"{said(train['reference'])}. {made}"
    )
    if record["status"] != "finished":
        yield ""
        at = f"step {record['step']:,} of {record['steps']:,}"
        yield f"**This run did not finish**: it is {record['status']} after {at}."
    yield from ("", "## Training", "")
    yield from table(_training(record))
    yield from ("", "What is trained:", "")
    yield from _trained(record)
    yield from ("", "## Data", "")
    yield from table(_data(record))
    yield from ("", "## Results", "", *_results(record))
    yield from ("", "## Licences", "")
    yield from ("| of | licence |", "| --- | --- |")
    yield from (f"| {said(name)} | {said(licence)} |" for name, licence in _licences(record).items())
    yield ""
    yield "Whoever passes this model on keeps the terms of the base model and of every dataset; this card grants none."
    yield from ("", "## Limits and risks", "")
    yield from (f"* {each}" for each in _limits(record))
    yield from ("", "## Disclaimer", "", DISCLAIMER)


def _training(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    config, software = record["configuration"], record["software"]
    own = software["triptych"]
    training, lora = config["training"], config.get("lora")
    yield "base model", f"{record['model']['name']}, revision {record['model']['revision']}"
    yield (
        "steps, epochs",
        f"{record['step']:,} of {record['steps']:,}; {record['epoch'] or 0:g} of {training['epochs']}",
    )
    batch = f"up to {config['data']['batch_tokens']:,} tokens" if config["data"]["batch_tokens"] else (
        f"{training['batch_size']} rows")  # fmt: skip
    processes = record["device"]["processes"]
    yield "batch", f"{batch}, {training['gradient_accumulation_steps']} of them a step, on {processes} process(es)"
    yield "learning rate", rates_of(record)
    if lora is not None:
        yield "LoRA", f"r {lora['r']}, alpha {lora['alpha']:g}, dropout {lora['dropout']:g}"
    if config["stages"]:
        yield "stages", "; ".join(", ".join(stage["train"]) for stage in config["stages"])
    yield "optimizer", f"{config['optimizer']['name']}, betas {config['optimizer']['betas']}"
    yield "type of weights", f"{config['model']['dtype']}, quantization {config['model']['quantization']}"
    yield "longest row", f"{config['data']['max_tokens']:,} tokens"
    yield "seed", str(record["seed"])
    yield "device", f"{record['device'].get('name') or UNKNOWN} ({record['device']['kind']})"
    yield "software", ", ".join([
        f"triptych {own['version']} ({own.get('commit', 'commit unknown')})", f"python {software['python']}",
        *(f"{name} {version}" for name, version in software["packages"].items() if name in _NAMED),
    ])  # fmt: skip


_NAMED = ("torch", "transformers", "peft", "accelerate")


def _trained(record: Mapping[str, Any]) -> Iterator[str]:
    if not record["trained"]:
        yield UNKNOWN
        return
    names = list(record["trained"][0])
    yield "| " + " | ".join(name.replace("_", " ") for name in names) + " |"
    yield "| --- " * len(names) + "|"
    for row in record["trained"]:
        yield "| " + " | ".join(f"{v:,}" if isinstance(v, int) else said(str(v)) for v in row.values()) + " |"


def _data(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    train = record["exports"]["train"]
    yield "export", f"{train['reference']} (content SHA-256 {train['content_sha256']})"
    yield "datasets", ", ".join(train["datasets"]) or UNKNOWN
    yield "languages", ", ".join(train.get("languages") or ()) or UNKNOWN
    yield "rows, rows left out", f"{train['rows']:,}, {record['left_out']:,}"
    held_out = train.get("held_out_rows")
    yield "rows of test and validation splits", UNKNOWN if held_out is None else f"{held_out:,}"
    for name, value in record["about_rows"].items():
        parts = value.items() if isinstance(value, Mapping) else [("", value)]
        told = ", ".join(f"{k} {v if isinstance(v, str) else format(v, ',')}".strip() for k, v in parts)
        yield name.replace("_", " "), told
    for part, export in record["exports"].items():
        if part != "train":
            yield f"{part} export", f"{export['reference']}, {amount(export['rows'], 'row')}"


def _results(record: Mapping[str, Any]) -> Iterator[str]:
    yield from _scores(record)
    if gaps := record.get("audio_gap"):
        names = {"base": "base model", "last": "trained model"}
        told = ", ".join(f"{names[when]} {gap['gap']:+.4f} on {gap['rows']} rows" for when, gap in gaps.items())
        yield ""
        yield f"Audio gap (loss of training rows with another row's sound, less that with their own): {told}."
        if not all(gap["is_heard"] for gap in gaps.values()):
            yield "The loss does not depend on what is in the sound: this model does not hear."
    for text in record.get("warnings") or ():
        yield ""
        yield f"Warning: {said(text)}"


def _scores(record: Mapping[str, Any]) -> Iterator[str]:
    base, last, best = record["base_scores"], record["scores"], record["best"]
    if last is None and base is None:
        loss = record["loss"]
        yield "It was not evaluated." + ("" if loss is None else f" The last loss on the training rows is {loss:.4f}.")
        return
    yield "| model | step | " + " | ".join(names := list((last or base)["values"])) + " |"
    yield "| --- " * (2 + len(names)) + "|"
    for name, scores in (("base model", base), ("last evaluation", last)):
        if scores is not None:
            yield f"| {name} | {scores['step']:,} | " + " | ".join(_score(scores, each) for each in names) + " |"
    if best is not None:
        yield ""
        yield f"The best checkpoint is {best['checkpoint']}, by a score of {best['score']:.4g}."
    exports = record["exports"]
    asked = exports.get("evaluation") or exports.get("validation")
    if asked is not None:
        yield ""
        yield f"Measured on {said(asked['reference'])}; intervals: 95 % of bootstrap resamples of its rows."
        if asked["content_sha256"] == exports["train"]["content_sha256"]:
            yield "It is the export that was trained on: the scores tell what was learnt by heart, and nothing else."


def _score(scores: Mapping[str, Any], name: str) -> str:
    value = scores["values"].get(name)
    if value is None:
        return UNKNOWN
    counts = scores["counts"].get(name) or {}
    low, high, rows = counts.get("low"), counts.get("high"), counts.get("rows")
    between = "no interval" if low is None or high is None else f"{low:.4g} to {high:.4g}"
    return f"{value:.4g} ({between}{'; ' + amount(rows, 'row') if rows else ''})"


def _limits(record: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "Noise in the sound and mistakes in transcripts of the training data lead to mistakes; the data was not "
        "listened to whole by people unless its own documents say so."
    )
    yield "A chain of thought, where the model writes one, may hold invented steps and need not be why it answers so."
    yield "It was trained on the languages, speakers and recordings of the datasets above; on others it may be worse."
    yield "What the base model does wrong, it may still do. Safety was not evaluated by this run."
    is_kept_apart = record["trainer"] == "contrastive"  # its held-out rows are those that it is measured on
    if record["exports"]["train"].get("held_out_rows") and not is_kept_apart:
        yield "Rows of test or validation splits were trained on: scores on those splits say nothing."


DISCLAIMER = (
    "Do not use this model for clinical, legal or other decisions of high risk without validation of its own and the "
    "review that the law asks for. Important answers are to be checked by people."
)


def table(rows: Iterator[tuple[str, str]]) -> Iterator[str]:
    """Facts as a table of Markdown."""
    yield "| | |"
    yield "| --- | --- |"
    yield from (f"| {name} | {said(value)} |" for name, value in rows)


def said(text: str) -> str:
    """A text of a record in Markdown: one line, and nothing of it is markup."""
    return re.sub(r"([\\`*_{}\[\]<>|])", r"\\\1", " ".join(str(text).split()))
