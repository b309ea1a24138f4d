"""The reference of DPO: what the model said of each answer before its first step.

It is computed once, in batches like those of training and without dropout, and kept in the run's folder; so no second
copy of the model is held, and one way serves LoRA, stages and full training alike: the reference is the model that
`model.base_model` names. (To go on from adapters of SFT, merge them first: `triptych train export --merge`.)
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.towers import SoundCheck
from ..runs.processes.ranks import gathered
from ..runs.scores.evaluations import leaving_no_trace
from .pair_encoder import DIMENSIONS, IDS
from .preferences import forward

if TYPE_CHECKING:
    from ..runs.prepare import Data, Prepared

_FORMAT = 1
_KEY = b"triptych.reference"
COLUMNS = ("id", "dimension", "chosen", "rejected", "chosen_tokens", "rejected_tokens")
"""Log-probabilities and numbers of tokens of both answers."""

Columns = dict[str, list[Any]]


def reference_of(prepared: Prepared, data: Data, folder: Path, *, shared: AbstractContextManager[Any]) -> Columns:
    """The reference of all pairs of an export: read from the run's folder, or computed and kept there.

    Args:
        shared: In which a pass of the model is made.

    Raises:
        BadRows: A row cannot be read.
        SoundUnheard: The model does not hear the sound of a batch.
    """
    path = folder / f"reference-{data.rows.reader.version.reference}.parquet"
    key = _key(prepared, data)
    found = _read(path, key)
    if all(gathered(found is not None)):
        assert found is not None
        return found
    parts = gathered(_computed(prepared, data, shared))
    whole: Columns = {name: [each for part in parts for each in part[name]] for name in COLUMNS}
    if data.loader.rank == 0:
        _write(path, key, whole)
    return whole


def by_id(reference: Columns) -> dict[str, tuple[float, float]]:
    """Log-probabilities of the chosen and the rejected answer, by the id of a row."""
    sides = zip(reference["chosen"], reference["rejected"], strict=True)
    return dict(zip(reference["id"], sides, strict=True))


def facts_of(reference: Columns) -> dict[str, Any]:
    """What is known of the pairs: their number, dimensions, and which answers are longer."""
    lengths = list(zip(reference["chosen_tokens"], reference["rejected_tokens"], strict=True))
    pairs = max(1, len(lengths))
    return {
        "pairs": len(lengths),
        "dimensions": dict(sorted(Counter(reference["dimension"]).items())),
        "chosen_is_longer": round(sum(chosen > rejected for chosen, rejected in lengths) / pairs, 4),
        "chosen_is_shorter": round(sum(chosen < rejected for chosen, rejected in lengths) / pairs, 4),
    }


def _key(prepared: Prepared, data: Data) -> str:
    """What a reference depends on: the rows, the weights, and how they are computed with."""
    loaded, config = prepared.loaded, prepared.model.config
    told = [
        _FORMAT, data.rows.where, data.rows.reader.content_sha256, data.plan.rows, prepared.encoder.signature,
        prepared.files.revision, loaded.dtype, loaded.quantization, str(config._attn_implementation),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _computed(prepared: Prepared, data: Data, shared: AbstractContextManager[Any]) -> Columns:
    import torch

    from ..runs.prepare import computing_of

    model, computing = prepared.model, computing_of(prepared)
    device = next(model.parameters()).device
    check = SoundCheck(model, prepared.family)
    found: Columns = {name: [] for name in COLUMNS}
    try:
        with leaving_no_trace(model):
            for batch in data.loader.epoch(0):
                if batch.inputs is None:
                    continue
                inputs = {
                    name: value.to(device) if isinstance(value, torch.Tensor) else value
                    for name, value in batch.inputs.items()
                }
                with computing(), shared:
                    _, log_probs, tokens = forward(model, inputs)
                check.check(inputs)
                _add(found, inputs, log_probs.tolist(), tokens.tolist())
    finally:
        check.remove()
    return found


def _add(found: Columns, inputs: Mapping[str, Any], log_probs: list[float], tokens: list[int]) -> None:
    pairs = len(inputs[IDS])
    values = (inputs[IDS], inputs[DIMENSIONS], log_probs[:pairs], log_probs[pairs:], tokens[:pairs], tokens[pairs:])
    for name, each in zip(COLUMNS, values, strict=True):
        found[name] += each


def _read(path: Path, key: str) -> Columns | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return None
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        return None  # cut short: computed again
    if (table.schema.metadata or {}).get(_KEY) != key.encode():
        return None
    return {name: table.column(name).to_pylist() for name in COLUMNS}


def _write(path: Path, key: str, found: Columns) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = (pa.string(), pa.string(), pa.float64(), pa.float64(), pa.int64(), pa.int64())
    schema = pa.schema(list(zip(COLUMNS, types, strict=True)), metadata={_KEY: key.encode()})
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    pq.write_table(pa.table(found, schema=schema), beside)
    beside.replace(path)
