"""Towers that run once for both sides of a batch: the same losses and gradients as when they run twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from triptych.trainers.data.training_row import TrainingRow
from triptych.trainers.data.turns import ASSISTANT, USER, Clip, Turn, Video
from triptych.trainers.models.training_model import Loading, load_for_training
from triptych.trainers.preference.pair_encoder import PairEncoder
from triptych.trainers.preference.preferences import Preferences
from triptych.trainers.preference.shared_towers import SharedTowers
from triptych.trainers.sft.conversation_encoder import EncoderSettings
from triptych.trainers.sft.encoders import encoder_of

pytestmark = pytest.mark.usefixtures("one_thread")


def row(id: str, *heard: Any) -> TrainingRow:
    turns = (Turn(USER, (*heard, "What is it?")), Turn(ASSISTANT, ("a tone",)))
    return TrainingRow(id=id, where="x", turns=turns, rejected=Turn(ASSISTANT, (f"{id} long silence",)))


@pytest.mark.parametrize("name", ["qwen2_audio", "omni_thinker"])
@pytest.mark.parametrize("padding", ["full", pytest.param("batch", marks=pytest.mark.thorough)])
def test_towers_that_run_once_give_the_same_losses_and_gradients(
    name: str, padding: str, clips: Callable[[float], Path], video: Callable[..., Path], request: pytest.FixtureRequest
) -> None:
    import torch

    folder = request.getfixturevalue(name)
    loaded = load_for_training(folder, Loading(audio_padding=padding), device="cpu")
    encoder = PairEncoder(encoder_of(loaded.family.name, folder, EncoderSettings(audio_padding=padding)))
    # A row without sound, clips of different lengths (under and over a chunk of 1 s), and several in one row.
    rows = [row("1", Clip(str(clips(0.6)))), row("2"), row("3", Clip(str(clips(1.3))), Clip(str(clips(0.4))))]
    if name == "omni_thinker":
        rows.append(row("4", Video(str(video(0.8)), with_sound=True)))
    inputs = encoder.join([encoder.encode(each) for each in rows])
    calls = []
    tower = loaded.model.model.audio_tower
    tower.register_forward_hook(lambda _tower, args, _output: calls.append(args[0].numel()))
    found = []
    for shared in (None, SharedTowers(loaded.model, loaded.family)):
        objective = Preferences(0.1, reference={each.id: (-9.0, -20.0) for each in rows})
        if shared is not None:
            objective.shared = shared
        loaded.model.zero_grad()
        losses = objective.losses(loaded.model, inputs)
        losses["preference"].backward()
        found.append((losses["preference"], [p.grad.clone() for p in tower.parameters() if p.grad is not None]))
    assert calls[0] == 2 * calls[1]
    (one, grown), (two, told) = found
    torch.testing.assert_close(one, two)
    assert len(grown) > 5
    for left, right in zip(grown, told, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-3, atol=1e-6)
