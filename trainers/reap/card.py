"""The model card of a pruned model: the base's own speaks of another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import amount
from ...shards.strict_yaml import yaml_text
from ..runs.records.card import BASE_CARD, CARD, DISCLAIMER, UNKNOWN, front_matter_of, said, table

_KEPT = ("license", "license_name", "license_link", "language", "pipeline_tag", "library_name")
"""What a base's metadata says that stays true without some of its experts."""


def card_text(told: Mapping[str, Any], base: Path) -> str:
    """The card of a pruned model.

    Args:
        told: Its manifest.
        base: The folder of the base.
    """
    own = front_matter_of(base / CARD)
    name = str(told["base_model"])
    folder = Path(name).expanduser()
    if folder.is_dir():  # where it lies is nobody's business
        name = folder.resolve().name
        head: dict[str, Any] = {"base_model": own["base_model"]} if own.get("base_model") else {}
    else:
        head = {"base_model": name}
    head |= {key: own[key] for key in _KEPT if own.get(key)}
    head["tags"] = ["triptych", "prune", "mixture-of-experts"]
    licence = str(own.get("license_name") or own.get("license") or UNKNOWN)
    return f"---\n{yaml_text(head)}---\n\n" + "\n".join(_body(told, name, licence, base)).rstrip() + "\n"


def _body(told: Mapping[str, Any], name: str, licence: str, base: Path) -> Iterator[str]:
    counts = Counter(len(layer["kept"]) for layer in told["layers"])
    kept = ", ".join(f"{count:,}" for count in sorted(counts))
    yield f"# {said(name)}, pruned to {kept} of {told['experts']:,} experts"
    yield ""
    yield (
        f"{said(name)} after `triptych prune`: experts of {amount(len(told['layers']), 'layer')} are left out, by the "
        "criterion below. Nothing was trained after that, and every other weight is as it was. "
        "`pruning.json` names the experts that are kept, with all scores."
    )
    yield from ("", "## Pruning", "", *table(_pruning(told, name)))
    yield from ("", "## Results", "")
    yield (
        "What pruning costs on other rows is told in the report of `triptych prune`, where it was measured; this card "
        "has no score of the model. On languages, sounds and tasks that the calibration rows lack it may be much worse."
    )
    yield from ("", "## Licences", "", *table(iter([(f"base model {name}", licence)])), "")
    yield "Whoever passes this model on keeps the terms of the base model; this card grants none."
    if (base / CARD).is_file():
        yield ""
        yield f"The card of the base model is kept as `{BASE_CARD}`: what it measured is not measured of this model."
    yield from ("", "## Disclaimer", "", DISCLAIMER)


def _pruning(told: Mapping[str, Any], name: str) -> Iterator[tuple[str, str]]:
    yield "base model", f"{name}, revision {told['revision']}"
    joint = told["joint"]
    of_joint = f", lambda {joint['lambda']:g}, beta {joint['beta']:g}" if told["criterion"] == "joint" else ""
    yield "criterion", f"{told['criterion']}{of_joint}; protected: {told['protect']}"
    yield "experts of a token", f"{told['experts_per_token']:,}"
    calibration = told["calibration"]
    for source in calibration["sources"]:
        modality = source["modality"]
        named = Path(str(source["source"])).name
        rows, tokens = (calibration[what].get(modality, 0) for what in ("rows", "tokens"))
        yield f"calibrated on {modality}", f"{named}: {amount(rows, 'row')}, {amount(tokens, 'token')}"
    if calibration["left_out"]:
        yield "rows left out", f"{len(calibration['left_out']):,}"
    if told.get("base_pruning"):
        yield "pruned before", "yes; `pruning.json` has how"
    yield "software", f"triptych {told['triptych']}"
