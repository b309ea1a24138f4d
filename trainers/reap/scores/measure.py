"""One pass of a model over calibration rows, which sums what its experts do.

Rows are decoded ahead in threads and go through the model in batches of neighbours, so memory does not grow with their
number. After each minute the sums and the place that was reached are written; a pass that was ended, however, goes on
from there to the same sums, bit for bit on a CPU: batches begin at the same rows, and sums are added in the same order.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import TriptychError, UsageError
from ....shards.media.streams import MediaError
from ...data.bad_rows import LEAVE_OUT, REFUSE, BadRow, BadRows, LeftOut
from ...models.towers import SoundCheck
from ...models.training_model import TrainingModel, device_of
from .calibration import CalibrationRow, Source
from .capture import Capture
from .expert_sums import ExpertSums, State
from .moe_layers import MoeLayer

if TYPE_CHECKING:
    from ...sft.conversation_encoder import ConversationEncoder, Encoded

SAVE_SECONDS = 60.0
AHEAD = 4
"""Rows that each thread makes ahead."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassSettings:
    """How rows go through the model.

    Attributes:
        samples: The first so many rows of each source; None: all.
        batch_tokens: Of a batch, padding included; a longer row goes alone.
        bad_rows: `refuse` or `leave_out`.
        part: Which rows: those whose place leaves the first number when it is divided by the second.
        workers: Threads that decode.
        wants_largest: Whether the largest values are kept, to find super experts.
    """

    samples: int | None = None
    batch_tokens: int = 8192
    bad_rows: str = REFUSE
    part: tuple[int, int] = (0, 1)
    workers: int = 2
    wants_largest: bool = False
    save_seconds: float = SAVE_SECONDS


def identity_of(
    loaded: TrainingModel, encoder: ConversationEncoder, sources: Sequence[Source], settings: PassSettings
) -> dict[str, Any]:
    """What a measurement depends on. Parts of one measurement differ in `part` alone."""
    return {
        "model": loaded.revision,
        "dtype": loaded.dtype,
        "encoder": encoder.signature,
        "sources": [[each.modality, each.name, each.sha256] for each in sources],
        "samples": settings.samples,
        "batch_tokens": settings.batch_tokens,
        "bad_rows": settings.bad_rows,
        "part": list(settings.part),
        "wants_largest": settings.wants_largest,
    }


def measure(
    loaded: TrainingModel,
    layers: Sequence[MoeLayer],
    encoder: ConversationEncoder,
    sources: Sequence[Source],
    settings: PassSettings,
    path: Path,
    progress: Progress | None = None,
) -> State:
    """Measure what the experts do, or go on with a measurement.

    Args:
        path: The file of the sums: where one of the same measurement is there, it is gone on with.
        progress: Called with the number of rows done and their number, 0 where it is not known.

    Raises:
        UsageError: Another measurement is in that file.
        BadRows: A row cannot be read, and `bad_rows` is `refuse`.
    """
    state = _begun(path, identity_of(loaded, encoder, sources, settings), layers)
    if state.is_complete:
        return state
    loaded.model.eval()
    saved = time.monotonic()
    check = SoundCheck(loaded.model, loaded.family)
    try:
        with Capture(layers, wants_largest=settings.wants_largest) as capture:
            while state.source < len(sources):
                source = sources[state.source]
                for batch in _batches(source, encoder, settings, start=state.row):
                    _add(state, source, batch, settings)
                    if batch.encoded:
                        _pass(state.sums, loaded, encoder, batch, capture, check)
                    state.row = batch.after
                    if progress is not None:
                        progress(sum(state.sums.rows.values()), (settings.samples or 0) * len(sources))
                    if time.monotonic() - saved >= settings.save_seconds:
                        state.save(path)
                        saved = time.monotonic()
                state.source, state.row = state.source + 1, 0
    finally:
        check.remove()
    state.is_complete = True
    state.save(path)
    return state


def _begun(path: Path, identity: dict[str, Any], layers: Sequence[MoeLayer]) -> State:
    if not path.exists():
        counts = {each.count for each in layers}
        if len(counts) > 1:
            raise UsageError(f"the layers of the model have different numbers of experts: {sorted(counts)}.")
        return State(identity, ExpertSums(tuple(each.index for each in layers), counts.pop(), layers[0].top_k))
    state = State.load(path)
    if changed := state.differs_in(identity):
        raise UsageError(
            f"{path} holds scores of another measurement: it differs in {', '.join(changed)}.",
            hint="name another folder: --report DIR, or remove this one",
        )
    return state


@dataclass(slots=True)
class _Batch:
    """Neighbours that go through the model together.

    Attributes:
        after: The place of the row after them.
    """

    rows: list[CalibrationRow]
    encoded: list[Encoded]
    left_out: list[LeftOut]
    after: int


def _add(state: State, source: Source, batch: _Batch, settings: PassSettings) -> None:
    if not batch.left_out:
        return
    if settings.bad_rows != LEAVE_OUT:
        raise BadRows(source.name, batch.left_out, flag="--bad-rows leave_out")
    state.left_out += [[source.modality, each.id, each.reason, each.detail] for each in batch.left_out]


def _batches(source: Source, encoder: ConversationEncoder, settings: PassSettings, *, start: int) -> Iterator[_Batch]:
    """Batches from a row on: as many neighbours as fit, so that a batch depends on its first row alone."""
    batch = _Batch([], [], [], start)
    longest = 0
    for row, encoded in _encoded(source, encoder, settings, start=start):
        if isinstance(encoded, LeftOut):
            batch.left_out.append(encoded)
            batch.after = row.number + 1
            continue
        longest = max(longest, len(encoded))
        if batch.encoded and longest * (len(batch.encoded) + 1) > settings.batch_tokens:
            yield batch
            batch, longest = _Batch([], [], [], row.number), len(encoded)
        batch.rows.append(row)
        batch.encoded.append(encoded)
        batch.after = row.number + 1
    if batch.encoded or batch.left_out:
        yield batch


def _encoded(
    source: Source, encoder: ConversationEncoder, settings: PassSettings, *, start: int
) -> Iterator[tuple[CalibrationRow, Encoded | LeftOut]]:
    """The rows of this part with their inputs, decoded ahead in threads."""
    remainder, parts = settings.part
    rows = (row for row in source.rows(start=start, stop=settings.samples) if row.number % parts == remainder)
    own = threading.local()

    def make(row: CalibrationRow) -> Encoded | LeftOut:
        # A tokenizer must not be used by two threads at once.
        if not hasattr(own, "encoder"):
            own.encoder = copy.copy(encoder)
        return encode(own.encoder, row)

    with ThreadPoolExecutor(max(1, settings.workers)) as threads:
        waiting: deque[tuple[CalibrationRow, Future[Encoded | LeftOut]]] = deque()
        try:
            for row in rows:
                waiting.append((row, threads.submit(make, row)))
                if len(waiting) >= AHEAD * max(1, settings.workers):
                    first, made = waiting.popleft()
                    yield first, made.result()
            while waiting:
                first, made = waiting.popleft()
                yield first, made.result()
        finally:
            for _, made in waiting:
                made.cancel()


def encode(encoder: ConversationEncoder, row: CalibrationRow) -> Encoded | LeftOut:
    """The inputs of a row, or why it has none."""
    try:
        if row.bad is not None:
            raise row.bad
        assert row.row is not None
        return encoder.encode(row.row)
    except (BadRow, MediaError) as bad:
        return LeftOut(row.id, bad.reason, bad.detail)


def inputs_on(model: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs of a batch where the model is, its features in the model's number format."""
    where, kind = device_of(model), next(model.parameters()).dtype
    return {
        name: each.to(where, kind) if each.is_floating_point() and name != "position_ids" else each.to(where)
        for name, each in inputs.items()
    }


def hidden_states(model: Any, inputs: dict[str, Any]) -> Any:
    """What the language model makes of a batch, before the head: the logits of all tokens take more memory."""
    return model.model(**{name: each for name, each in inputs.items() if name != "labels"})[0]


def _check_finite(found: Any, batch: _Batch, capture: Capture) -> None:
    """Refuse sums that are no numbers: they would hide in a score, or leave the choice to chance.

    Raises:
        TriptychError: The outputs of a layer are infinite, or not a number.
    """
    import numpy as np

    is_finite = np.isfinite(found).all(axis=(0, 2, 3))
    if is_finite.all():
        return
    more = f" and the {len(batch.rows) - 1:,} beside it" if len(batch.rows) > 1 else ""
    raise TriptychError(
        f"layer {capture.layers[int(np.argmin(is_finite))].index}: what its experts make of row {batch.rows[0].id}"
        f"{more} is not finite: nothing can be scored.",
        hint="--dtype fp32 or bf16, whose numbers reach further than those of fp16; or the weights are damaged",
    )


def _pass(
    sums: ExpertSums, loaded: TrainingModel, encoder: ConversationEncoder, batch: _Batch, capture: Capture,
    check: SoundCheck,
) -> None:  # fmt: skip
    import torch

    strata = list(dict.fromkeys(row.stratum for row in batch.rows))
    inputs = encoder.join(batch.encoded)
    groups = torch.full(inputs["input_ids"].shape, -1)
    for place, (row, encoded) in enumerate(zip(batch.rows, batch.encoded, strict=True)):
        groups[place, : len(encoded)] = strata.index(row.stratum)
    inputs = inputs_on(loaded.model, inputs)
    capture.begin(groups.to(inputs["input_ids"].device))
    try:
        with torch.inference_mode():
            hidden_states(loaded.model, inputs)
    except torch.OutOfMemoryError as error:
        raise TriptychError(
            f"memory ran out on a batch of {groups.numel():,} tokens ({batch.rows[0].id} ...).",
            hint="a smaller --batch-tokens, or shorter rows: --max-tokens",
        ) from error
    check.check(inputs)
    found, largest = capture.take()
    _check_finite(found, batch, capture)
    for group, stratum in enumerate(strata):
        lengths = [
            len(encoded) for row, encoded in zip(batch.rows, batch.encoded, strict=True) if row.stratum == stratum
        ]
        sums.add(stratum, found[group], tokens=sum(lengths), rows=len(lengths))
    if capture.wants_largest:
        sums.add_largest(largest)
