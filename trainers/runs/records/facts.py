"""What is known of a run before its first step, as its record has it: exports, model, tokenizer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....shards.exports.versions import Version, sample_column, sums
from ....shards.query import connect
from ....shards.store.sql import identifier, quote
from ....shards.store.use import using
from .card import CARD, front_matter_of

if TYPE_CHECKING:
    from ....shards.store.store import Store
    from ..config.sections import RunConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What is known of a run before its first step.

    Attributes:
        trainer: `sft`, `dpo` ...
        exports: What it reads, by its part: `train`, `validation`, `evaluation`.
        model: The name or folder, as it was asked for; `model_folder` is where its files lie.
        steps: Of the whole run.
        components: What is trained of each part of the model.
        rates: The learning rate of each part that is trained, stage by stage.
        left_out: Rows of the export that are not trained on, found before the first step.
        warnings: What whoever reads its scores should know.
        about: What a trainer tells of its rows; of DPO the pairs by dimension, and which answers are longer.
        store: Where the run is made known; None: nowhere.
    """

    trainer: str
    config: RunConfig
    exports: Mapping[str, Version]
    revision: str
    family: str
    tokenizer: Any
    model_folder: Path
    steps: int
    rows: int
    device: str = "cpu"
    ranks: int = 1
    components: Sequence[Mapping[str, Any]] = ()
    rates: Mapping[str, Sequence[float]] = field(default_factory=dict)
    left_out: Sequence[Mapping[str, Any]] = ()
    warnings: Sequence[str] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    store: Store | None = None


def tokenizer_facts(tokenizer: Any) -> dict[str, Any]:
    """The class of a tokenizer, its size, the tokens that were added to it, and the SHA-256 of its vocabulary."""
    if tokenizer is None:
        return {}
    vocabulary = tokenizer.get_vocab()
    digest = hashlib.sha256()
    for token, number in sorted(vocabulary.items(), key=lambda item: (item[1], item[0])):
        digest.update(f"{number}\t{token}\n".encode("utf-8", "surrogatepass"))
    added = tokenizer.get_added_vocab()
    return {
        "class": type(tokenizer).__name__, "vocabulary": len(vocabulary), "added_tokens": len(added),
        "added": sorted(added, key=lambda token: added[token])[:50], "sha256": digest.hexdigest(),
    }  # fmt: skip


def export_facts(version: Version, store: Store | None) -> dict[str, Any]:
    """What a record has of an export.

    Args:
        store: Where its samples are; None: what only they know is not told.
    """
    manifest = version.manifest
    return {
        "reference": version.reference, "name": version.name, "version": version.label, "rows": manifest["rows"],
        "view": manifest.get("view"), "task": manifest.get("task"), "content_sha256": manifest["content_sha256"],
        "manifest_sha256": sums(version.path / "manifest.json")["sha256"], "datasets": manifest["datasets"],
        "held_out_rows": manifest.get("held_out_rows"), "languages": _languages(version, store),
    }  # fmt: skip


def model_facts(config: RunConfig, files: Path) -> dict[str, Any]:
    """Its name (of a folder without where it lies), and what its own card says of its licence and its base."""
    folder = Path(config.model.base_model).expanduser()
    said = front_matter_of(files / CARD)
    found = {"name": config.model.base_model, "is_on_hub": True}
    if folder.is_dir():
        found = {"name": folder.resolve().name, "is_on_hub": False}
    about = ("license", "license_name", "license_link", "base_model")
    return found | {name: said[name] for name in about if said.get(name)}


def _languages(version: Version, store: Store | None) -> list[str]:
    """The languages that its rows name; where they name none, as in most views, those of its samples."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    file = pq.ParquetFile(version.path / "data.parquet")
    if "language" not in file.schema_arrow.names:
        return [] if store is None else _sample_languages(version, store)
    found = pc.unique(file.read(columns=["language"]).column(0)).to_pylist()
    return sorted(each for each in found if each)


def _sample_languages(version: Version, store: Store) -> list[str]:
    parquet = version.path / "data.parquet"
    datasets = ", ".join(quote(name) for name in version.manifest["datasets"]) or "NULL"
    with using(store, "train"), connect(store, named_in="samples") as connection:
        sample = identifier(sample_column(connection, parquet))
        rows = connection.execute(f"""
            SELECT DISTINCT language FROM samples WHERE dataset IN ({datasets}) AND language <> ''
            AND id IN (SELECT {sample} FROM read_parquet({quote(str(parquet))})) ORDER BY 1""").fetchall()
    return [str(language) for (language,) in rows]
