"""What Qwen2-Audio reads of rows: token by token what its processor makes, and only answers trained."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from triptych.errors import UsageError
from triptych.trainers.data.encoder import BadRow
from triptych.trainers.data.turns import Clip, Video
from triptych.trainers.sft.conversation_encoder import EncoderSettings
from triptych.trainers.sft.encoders import encoder_of

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def encoder(qwen2_audio: Path) -> Any:
    return pickle.loads(pickle.dumps(encoder_of("qwen2-audio", qwen2_audio)))


@pytest.fixture(scope="module")
def model(qwen2_audio: Path) -> Any:
    from transformers import Qwen2AudioForConditionalGeneration

    return Qwen2AudioForConditionalGeneration.from_pretrained(qwen2_audio).eval()


@pytest.mark.parametrize("samples", [700, 16_000, 16_001, 16_159, 47_999, 479_361, 479_900, 480_000])
def test_a_spectrum_is_the_extractors_own_without_the_work_of_its_zeros(encoder: Any, samples: int) -> None:
    sound = np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)
    sound[-20:] = 1.0  # what the last samples reach behind the clip may be the loudest of all
    made = encoder.extractor(sound, sampling_rate=16_000, return_attention_mask=True, return_tensors="pt")
    found = encoder.log_mel.padded(sound)
    expected = made.input_features[0].numpy()
    width = found.frames.shape[1]
    assert found.heard == int(made.attention_mask.sum())
    assert width >= min(3000, found.heard + 1)
    np.testing.assert_allclose(found.frames.numpy(), expected[:, :width], atol=1e-6)
    np.testing.assert_allclose(expected[:, width:], found.silence, atol=1e-6)


def test_every_token_and_number_is_what_the_processor_makes(
    encoder: Any, qwen2_audio: Path, row_of: Callable[..., Any], clips: Callable[[float], Path]
) -> None:
    import torch
    from transformers import Qwen2AudioProcessor
    from triptych.trainers.data.sound import read_sound

    first, second = Clip(str(clips(1.3))), Clip(str(clips(0.4)))
    row = row_of(
        (first, "Was hörst du? 😀"), ("你好\n\nok ",), ("and ", second, "now?"), ("\ttab",), ("text only",), ("ende",)
    )
    encoded = encoder.encode(row)
    processor = Qwen2AudioProcessor.from_pretrained(qwen2_audio)
    content = [[{"type": "audio", "audio": "x"}, {"type": "text", "text": "Was hörst du? 😀"}],
               [{"type": "text", "text": "and "}, {"type": "audio", "audio": "y"}, {"type": "text", "text": "now?"}],
               "text only"]  # fmt: skip
    answers = ["你好\n\nok ", "\ttab", "ende"]
    messages = []
    for said, answer in zip(content, answers, strict=True):
        messages += [{"role": "user", "content": said}, {"role": "assistant", "content": answer}]
    made = processor(
        text=[processor.apply_chat_template(messages, tokenize=False)], sampling_rate=16_000, return_tensors="pt",
        audio=[read_sound(Path(clip.path), 16_000) for clip in (first, second)],
    )  # fmt: skip
    batch = encoder.join([encoded])
    assert torch.equal(batch["input_ids"], made["input_ids"])
    assert torch.allclose(batch["input_features"], made["input_features"], atol=1e-6)
    assert torch.equal(batch["feature_attention_mask"], made["feature_attention_mask"].long())

    tokenizer = encoder.tokenizer
    trained = encoded.labels != -100
    assert torch.equal(encoded.labels[trained], encoded.input_ids[trained])
    assert tokenizer.decode(encoded.labels[trained]) == "".join(f"{answer}<|im_end|>" for answer in answers)
    own = tokenizer.convert_tokens_to_ids(["<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>", "<|im_start|>"])
    assert not trained[torch.isin(encoded.input_ids, torch.tensor(own))].any()
    assert int((encoded.input_ids == own[0]).sum()) == 32 + 10  # 130 and 40 frames


def test_lengths_are_known_without_decoding(
    encoder: Any, row_of: Callable[..., Any], clips: Callable[[float], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = row_of((Clip(str(clips(1.3))), "q"), ("x",), (Clip(str(clips(0.4))),), ("y",))
    encoded = encoder.encode(row)
    monkeypatch.setattr("triptych.trainers.sft.conversation_encoder.read_sound", None)
    length = encoder.length(row)
    assert (length.tokens, length.seconds, length.modalities) == (len(encoded), 1.7, ("audio",))
    assert encoder.length(row_of(("q",), ("x",))).modalities == ()


def test_marked_text_shows_what_is_trained(
    encoder: Any, row_of: Callable[..., Any], clips: Callable[[float], Path]
) -> None:
    found = encoder.marked_text(encoder.encode(row_of((Clip(str(clips(0.4))), "wo? 😀"), ("dört",))))
    assert [(each.text, each.is_trained, each.is_placeholder) for each in found] == [
        ("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nAudio 1: <|audio_bos|>",
         False, False),
        ("<|AUDIO|>×10", False, True),
        ("<|audio_eos|>\nwo? 😀<|im_end|>\n<|im_start|>assistant\n", False, False),
        ("dört<|im_end|>", True, False),
        ("\n", False, False),
    ]  # fmt: skip


def test_a_row_reads_the_same_alone_and_beside_others_and_its_sound_is_heard(
    encoder: Any, model: Any, row_of: Callable[..., Any], clips: Callable[[float], Path], losses: Callable[..., Any]
) -> None:
    rows = [row_of((Clip(str(clips(1.3))), "what?"), ("noise",)),
            row_of(("no sound",), ("a longer answer than others",)),
            row_of((Clip(str(clips(0.4))),), ("x",), (Clip(str(clips(2.0))), "and?"), ("y",))]  # fmt: skip
    encoded = [encoder.encode(row) for row in rows]
    together = losses(model, encoder.join(encoded))
    alone = [losses(model, encoder.join([each]))[0] for each in encoded]
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    other = encoder.encode(row_of((Clip(str(clips(1.31))), "what?"), ("noise",)))
    assert abs(losses(model, encoder.join([other]))[0] - alone[0]) > 1e-3


def test_clips_that_are_padded_to_their_batch_sound_the_same(
    qwen2_audio: Path, row_of: Callable[..., Any], clips: Callable[[float], Path], losses: Callable[..., Any],
    encoder: Any, model: Any,
) -> None:  # fmt: skip
    import copy

    from triptych.trainers.models.families import QWEN2_AUDIO
    from triptych.trainers.models.real_lengths import hear_real_lengths

    short = encoder_of("qwen2-audio", qwen2_audio, EncoderSettings(audio_padding="batch"))
    encoded = [encoder.encode(row_of((Clip(str(clips(each))), "what?"), ("noise",))) for each in (1.3, 0.45)]
    batch = short.join(encoded)
    assert batch["input_features"].shape == (2, 128, 132)
    real = copy.deepcopy(model)
    hear_real_lengths(real, QWEN2_AUDIO)
    np.testing.assert_allclose(losses(real, batch), losses(model, encoder.join(encoded)), rtol=1e-5)


def test_a_pair_shares_prompt_and_features_and_trains_its_last_answers(
    encoder: Any, row_of: Callable[..., Any], clips: Callable[[float], Path]
) -> None:
    import torch

    turns = ((Clip(str(clips(0.4))), "q"), ("before",), ("again?",), ("good",))
    chosen, rejected = encoder.encode_pair(row_of(*turns, rejected="bad one"))
    said = [encoder.tokenizer.decode(each.labels[each.labels != -100]) for each in (chosen, rejected)]
    assert said == ["good<|im_end|>", "bad one<|im_end|>"]
    begins = int((chosen.labels != -100).nonzero()[0])
    assert torch.equal(chosen.input_ids[:begins], rejected.input_ids[:begins])
    assert chosen.media["spectra"][0] is rejected.media["spectra"][0]
    for other, reason in ((None, "no_pair"), (" good", "no_preference")):
        with pytest.raises(BadRow) as caught:
            encoder.encode_pair(row_of(*turns, rejected=other))
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("seconds", "settings", "reason"),
    [
        (30.5, {}, "too_long"),
        (1.3, {"max_audio_seconds": 1.0}, "too_long"),
        (1.3, {"max_tokens": 60}, "too_many_tokens"),
        (0.02, {}, "too_short"),
        (None, {}, "missing_media"),
    ],
)
def test_what_cannot_be_heard_whole_is_a_bad_row_before_and_after_decoding(
    qwen2_audio: Path, row_of: Callable[..., Any], clips: Callable[[float], Path], tmp_path: Path,
    seconds: float | None, settings: dict[str, Any], reason: str,
) -> None:  # fmt: skip
    encoder = encoder_of("qwen2-audio", qwen2_audio, EncoderSettings(**settings))
    clip = Clip(str(tmp_path / "gone.wav" if seconds is None else clips(seconds)))
    row = row_of((clip, "q"), ("x",))
    for attempt in (encoder.length, encoder.encode):
        with pytest.raises(BadRow) as caught:
            attempt(row)
        assert caught.value.reason == reason
        assert clip.path in caught.value.detail or "max_tokens" in caught.value.detail


def test_a_clip_that_is_cut_says_how_much_was_left_out(
    qwen2_audio: Path, row_of: Callable[..., Any], clips: Callable[[float], Path]
) -> None:
    encoder = encoder_of("qwen2-audio", qwen2_audio, EncoderSettings(long="cut", max_audio_seconds=1.0))
    row = row_of((Clip(str(clips(1.3))), "q"), ("x",))
    encoded, length = encoder.encode(row), encoder.length(row)
    assert (encoded.cut_seconds, length.cut_seconds, length.seconds) == (0.3, 0.3, 1.0)
    assert len(encoded) == length.tokens
    assert encoder.max_audio_seconds == 1.0


def test_settings_and_files_tell_encoders_apart(qwen2_audio: Path, encoder: Any) -> None:
    other = encoder_of("qwen2-audio", qwen2_audio, EncoderSettings(max_tokens=60))
    assert encoder.signature == encoder_of("qwen2-audio", qwen2_audio).signature != other.signature
    assert encoder.budget_model is None, "the tiny model has a vocabulary of its own"
    with pytest.raises(UsageError, match=r"data\.long"):
        EncoderSettings(long="window")
    with pytest.raises(UsageError, match="cannot be trained"):
        encoder_of("qwen4", qwen2_audio)


def test_a_video_is_not_heard_as_a_clip(encoder: Any, row_of: Callable[..., Any], video: Callable[..., Path]) -> None:
    with pytest.raises(BadRow) as caught:
        encoder.length(row_of((Video(str(video(1.0)), with_sound=True),), ("x",)))
    assert caught.value.reason == "video_unsupported"


def test_a_stored_clip_in_whose_place_another_of_its_length_lies_makes_a_bad_row(
    encoder: Any, row_of: Callable[..., Any], clips: Callable[[float], Path], tmp_path: Path
) -> None:
    written = clips(0.4).read_bytes()
    stored = tmp_path / f"{hashlib.sha256(written).hexdigest()}{clips(0.4).suffix}"
    stored.write_bytes(written)
    row = row_of((Clip(str(stored)), "What?"), ("this",))
    before = encoder.encode(row)
    stored.write_bytes(written[:-2] + bytes(each ^ 1 for each in written[-2:]))
    assert encoder.length(row).tokens == len(before)  # nothing else tells
    with pytest.raises(BadRow, match="put it back") as caught:
        encoder.encode(row)
    assert caught.value.reason == "changed_media"
    stored.write_bytes(written)
    assert len(encoder.encode(row)) == len(before)
