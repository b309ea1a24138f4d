"""What is learned of `msswift --task pretrain`: every token of a text, and none of the sound in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.imported import bring_in
from triptych.trainers.data.training_rows import TrainingRows
from triptych.trainers.sft.conversation_encoder import EncoderSettings
from triptych.trainers.sft.encoders import encoder_of

pytestmark = pytest.mark.usefixtures("one_thread")

TEXTS = {"heard": "It rains: 5 °C.", "said": "Nothing is heard here."}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, clips: Callable[[float], Path]) -> TrainingRows:
    folder = tmp_path_factory.mktemp("pretrain")
    heard = {"id": "heard", "audio": str(clips(0.5)), "text": TEXTS["heard"], "task": "asr", "language": "en"}
    store = bring_in(folder / "store", "spoken", [heard], folder)
    said = {"id": "said", "messages": [{"role": "assistant", "content": TEXTS["said"]}]}
    bring_in(store, "written", [said], folder, values={"modality": "text"})
    triptych.export("msswift", task="pretrain", store=store)
    return TrainingRows.open("msswift-pretrain", store=store)


@pytest.mark.parametrize(
    ("family", "model", "template"),
    [("qwen2-audio", "qwen2_audio", None), ("qwen2-audio", "qwen2_audio", "raw"), ("qwen3-omni", "omni_thinker", None)],
)
def test_each_token_of_the_text_and_its_end_are_learned_and_none_of_the_sound(
    rows: TrainingRows, request: pytest.FixtureRequest, family: str, model: str, template: str | None
) -> None:
    encoder: Any = encoder_of(family, request.getfixturevalue(model), EncoderSettings(template=template))
    batch = encoder.join([encoder.encode(row) for row in rows])
    assert len(rows) == 2
    for number, row in enumerate(rows):
        is_token = batch["attention_mask"][number].bool()
        ids, labels = batch["input_ids"][number][is_token].tolist(), batch["labels"][number][is_token].tolist()
        name = row.id.rpartition("/")[2]
        text = encoder.tokenizer(TEXTS[name] + "<|endoftext|>", add_special_tokens=False)["input_ids"]
        sound = len(ids) - len(text)
        assert (sound > 2) == (name == "heard")
        assert ids[sound:] == text
        assert labels == [-100] * sound + text
        assert not batch["labels"][number][~is_token].ne(-100).any()
