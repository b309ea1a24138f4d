"""The vectors of a run's rows: each of its own file as it was published, kept, and gone on with."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from triptych.shards.store.store import Store  # noqa: E402
from triptych.trainers.retrieval.model import row_vectors as kept  # noqa: E402
from triptych.trainers.retrieval.term_rows import TermRows  # noqa: E402


@dataclass
class Encoder:
    """Makes the length and the first sample of a clip; of a text its length."""

    width: int = 2
    rate: int = 16_000
    heard_s: float = 30.0
    revision: str = "one"
    model: Any = field(default_factory=lambda: torch.nn.Linear(1, 1))
    heard: int = 0
    most: int = 10_000

    def vector(self, samples: Any) -> Any:
        if self.heard == self.most:
            raise KeyboardInterrupt
        self.heard += 1
        return np.array([len(samples), samples[0]], np.float32)

    def vectors(self, texts: Any) -> Any:
        return np.array([[len(text), 0] for text in texts], np.float32)


@pytest.fixture
def rows(chunks: Path, tmp_path: Path) -> TermRows:
    """The rows with clips of their own."""
    opened = TermRows.open("chunks", store=Store.open(chunks))
    own = [replace(row, audio=Path(shutil.copy(row.audio, tmp_path))) for row in opened.rows]
    return replace(opened, rows=own)


def vectors(rows: TermRows, encoder: Encoder, cache: Path, **more: Any) -> Any:
    given: Any = encoder
    return kept.row_vectors(rows, given, given, field="term", cache=cache / "vectors.npz", **more)


def test_a_clip_that_is_not_the_published_one_is_no_row_until_it_is_put_back(rows: TermRows, tmp_path: Path) -> None:
    for name in ("whole", "run"):
        (tmp_path / name).mkdir()
    whole = vectors(rows, Encoder(), tmp_path / "whole")
    first, last = rows.rows[0], rows.rows[-1]
    before = first.audio.read_bytes()
    first.audio.write_bytes(last.audio.read_bytes())  # another clip under its name

    found = vectors(rows, Encoder(), tmp_path / "run")
    assert [each.id for each in found.rows] == [row.id for row in rows.rows[1:]]
    assert [(each.id, each.reason) for each in found.left_out] == [(first.id, "changed_media")]
    first.audio.write_bytes(before)
    going_on = vectors(rows, Encoder(), tmp_path / "run", again=False)
    assert [each.id for each in going_on.left_out] == [first.id]  # the rows that the run began with
    encoder = Encoder()
    again = vectors(rows, encoder, tmp_path / "run")
    assert encoder.heard == 1 and not again.left_out and np.array_equal(again.audio, whole.audio)


def test_encoding_that_was_ended_goes_on_where_it_was(
    rows: TermRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_KEPT_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        vectors(rows, Encoder(most=3), tmp_path)
    encoder = Encoder()
    found = vectors(rows, encoder, tmp_path)
    assert encoder.heard == len(rows.rows) - 3
    (tmp_path / "vectors.npz").unlink()
    assert np.array_equal(found.audio, vectors(rows, Encoder(), tmp_path).audio)


def test_a_vector_that_is_no_number_is_no_row(rows: TermRows, tmp_path: Path) -> None:
    class Overflows(Encoder):
        def vector(self, samples: Any) -> Any:
            return np.array([np.inf, 0], np.float32)

    assert {each.reason for each in vectors(rows, Overflows(), tmp_path).left_out} == {"not_finite"}


def test_a_text_that_is_longer_than_the_encoder_reads_is_refused() -> None:
    from triptych.errors import UsageError
    from triptych.trainers.retrieval.model.encoders import TextEncoder

    def tokenizer(texts: list[str], **asked: Any) -> dict[str, Any]:
        counts = [len(text.split()) for text in texts]
        mask = torch.arange(max(counts)) < torch.tensor(counts)[:, None]
        ids = mask.long() if "return_tensors" in asked else [[1] * count for count in counts]
        return {"input_ids": ids, "attention_mask": mask.long()}

    tokenizer.model_max_length = int(1e30)  # type: ignore[attr-defined]
    model = SimpleNamespace(config=SimpleNamespace(max_position_embeddings=3))
    encoder = TextEncoder(model, tokenizer, 2, "one")
    same, also, other = encoder.tokens(["A b", "東 京", "c"])
    assert same == also != other
    assert encoder.inputs(["a", "b c d"])["input_ids"].shape == (2, 3)
    with pytest.raises(UsageError, match="a text of 4 tokens; the encoder of texts reads 3: 'a b c d'"):
        encoder.inputs(["a", "a b c d"])
