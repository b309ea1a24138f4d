"""What Qwen3-Omni's thinker reads of rows: clips, images, videos, and videos with their sound in step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from triptych.trainers.data.encoder import BadRow
from triptych.trainers.data.turns import Clip, Picture, Video
from triptych.trainers.sft.encoders import encoder_of
from triptych.trainers.sft.pictures import resized

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def encoder(omni_thinker: Path) -> Any:
    return encoder_of("qwen3-omni", omni_thinker)


@pytest.fixture(scope="module")
def model(omni_thinker: Path) -> Any:
    from transformers import Qwen3OmniMoeThinkerForConditionalGeneration
    from triptych.trainers.models.families import QWEN3_OMNI
    from triptych.trainers.models.short_clips import hear_short_clips_alone

    made = Qwen3OmniMoeThinkerForConditionalGeneration.from_pretrained(omni_thinker).eval()
    hear_short_clips_alone(made, QWEN3_OMNI)
    return made


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    import av

    folder = tmp_path_factory.mktemp("images")

    def make(width: int, height: int, form: str = "rgb24") -> Path:
        path = folder / f"{width}-{height}-{form}.png"
        depth = {"rgb24": 3, "rgba": 4}[form]
        values = np.random.default_rng(5).integers(0, 256, (height, width, depth)).astype(np.uint8)
        with av.open(str(path), "w", format="image2", options={"update": "1"}) as out:
            stream: Any = out.add_stream("png", rate=1)
            stream.width, stream.height, stream.pix_fmt = width, height, form
            out.mux(stream.encode(av.VideoFrame.from_ndarray(values, format=form)))
            out.mux(stream.encode(None))
        return path

    return make


@pytest.mark.parametrize("seconds", [0.0131, 0.09, 0.5, 1.0, 1.009, 2.5])
def test_every_token_and_number_of_a_clip_is_what_the_processor_makes_of_it_alone(
    encoder: Any, omni_thinker: Path, row_of: Callable[..., Any], clips: Callable[[float], Path], seconds: float
) -> None:
    import torch
    from triptych.trainers.data.sound import read_sound
    from triptych.trainers.models.model_loading import _sound_only

    from transformers import Qwen3OmniMoeProcessor  # isort: skip

    path = clips(seconds)
    encoded = encoder.encode(row_of((Clip(str(path)), "q"), ("x",), ("r",), ("y",)))
    processor = _sound_only(Qwen3OmniMoeProcessor, omni_thinker)
    sound = "<|audio_start|><|audio_pad|><|audio_end|>"
    text = "".join(f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n{said}<|im_end|>\n"
                   for asked, said in ((f"{sound}q", "x"), ("r", "y")))  # fmt: skip
    made = processor(text=[text], audio=[read_sound(path, 16_000)], sampling_rate=16_000, return_tensors="pt")
    batch = encoder.join([encoded])
    assert torch.equal(batch["input_ids"], made["input_ids"])
    assert torch.allclose(batch["input_features"], made["input_features"], atol=1e-6)
    assert torch.equal(batch["feature_attention_mask"], made["feature_attention_mask"].long())
    assert encoder.tokenizer.decode(encoded.labels[encoded.labels != -100]) == "x<|im_end|>y<|im_end|>"


def test_in_a_batch_each_sound_has_the_features_that_the_extractor_makes_of_its_own_file(
    encoder: Any, omni_thinker: Path, row_of: Callable[..., Any], clips: Callable[[float], Path],
    video: Callable[..., Path],
) -> None:  # fmt: skip
    import torch
    from transformers import AutoFeatureExtractor
    from triptych.trainers.data.sound import read_sound

    long, short, shortest, other = (clips(seconds) for seconds in (2.5, 0.5, 0.09, 1.009))
    film = video(1.2)
    rows = [
        row_of((Clip(str(short)), "q"), ("x",)),
        row_of(("text alone",), ("yes",)),
        row_of((Clip(str(shortest)), "and", Clip(str(long)), "?"), ("two",)),
        row_of((Video(str(film), with_sound=True), "heard?"), ("noise",)),
        row_of((Clip(str(other)),), ("last",)),
    ]
    batch = encoder.join([encoder.encode(row) for row in rows])
    extractor = AutoFeatureExtractor.from_pretrained(omni_thinker)
    files = (short, shortest, long, film, other)
    for path, features, mask in zip(
        files, batch["input_features"], batch["feature_attention_mask"].bool(), strict=True
    ):  # in the order of rows, and of clips within them
        own = extractor(read_sound(path, 16_000), sampling_rate=16_000, padding=True, truncation=False,
                        return_attention_mask=True, return_tensors="pt")  # fmt: skip
        expected = own["input_features"][0][:, own["attention_mask"][0].bool()]
        assert features[:, mask].shape == expected.shape, path
        assert torch.allclose(features[:, mask], expected, atol=1e-6), path
        assert mask.int().diff().le(0).all()  # the clip stands first, what fills the batch behind it


def test_a_row_reads_the_same_alone_and_beside_others_whatever_they_hold(
    encoder: Any, model: Any, row_of: Callable[..., Any], clips: Callable[[float], Path], video: Callable[..., Path],
    image: Callable[..., Path], losses: Callable[..., Any],
) -> None:  # fmt: skip
    def clip(seconds: float) -> Clip:
        return Clip(str(clips(seconds)))

    rows = [
        row_of((clip(2.5), "q"), ("x",)),
        row_of((clip(0.5),), ("short",)),  # below a chunk, of which the encoder would pad the longest
        row_of((clip(0.09), clip(0.5)), ("two",)),
        row_of(("text alone",), ("yes",)),
        row_of((Picture(str(image(60, 40))), "see?"), ("a picture",)),
        row_of((Video(str(video(1.2))), clip(0.5), "see?"), ("stripes",)),
        row_of((Video(str(video(1.2)), with_sound=True), "and hear?"), ("noise",)),
    ]
    encoded = [encoder.encode(row) for row in rows]
    batch = encoder.join(encoded)
    alone = [losses(model, encoder.join([each]))[0] for each in encoded]
    np.testing.assert_allclose(losses(model, batch), alone, rtol=1e-5)
    assert [encoder.length(row).tokens for row in rows] == [len(each) for each in encoded]
    kinds = [encoder.length(row).modalities for row in rows]
    assert kinds == [("audio",)] * 3 + [(), ("image",), ("audio", "video"), ("audio", "video")]

    changed = [row_of((clip(2.51), "q"), ("x",)), row_of((Picture(str(image(61, 40))), "see?"), ("a picture",)),
               row_of((Video(str(video(1.2, width=66))), clip(0.5), "see?"), ("stripes",))]  # fmt: skip
    for row, before in zip(changed, (alone[0], alone[4], alone[5]), strict=True):
        assert abs(losses(model, encoder.join([encoder.encode(row)]))[0] - before) > 1e-3


@pytest.mark.parametrize("with_sound", [False, True])
def test_positions_and_order_of_a_video_are_the_models_and_the_processors(
    encoder: Any, model: Any, row_of: Callable[..., Any], video: Callable[..., Path], with_sound: bool
) -> None:
    import torch
    from transformers import Qwen3OmniMoeProcessor

    rows = [row_of((Video(str(video(seconds)), with_sound=with_sound), "q"), ("x",)) for seconds in (1.2, 3.4)]
    batch = encoder.join([encoder.encode(row) for row in rows])
    heard = batch["feature_attention_mask"].sum(1) if with_sound else torch.tensor([])
    expected, _ = model.model.get_rope_index(
        batch["input_ids"], None, batch["video_grid_thw"], batch["attention_mask"], with_sound, heard,
        batch["video_second_per_grid"],
    )  # fmt: skip
    is_token = batch["attention_mask"].bool()
    assert torch.equal(batch["position_ids"][:, is_token], expected[:, is_token])

    names = {"audio_bos_token": "", "audio_eos_token": "", "audio_token": "a", "video_token": "v"}
    processor = SimpleNamespace(video_processor=SimpleNamespace(merge_size=2), **names)
    ids = {encoder.config.audio_token_id: "a", encoder.config.video_token_id: "v"}
    for place, tokens in enumerate(batch["input_ids"].tolist()):
        found = "".join(ids.get(token, "") for token in tokens)
        if not with_sound:
            assert found == "v" * (int(batch["video_grid_thw"][place].prod()) // 4)
            continue
        told = {"video_grid_thw": batch["video_grid_thw"].numpy(),
                "video_second_per_grid": batch["video_second_per_grid"].tolist()}  # fmt: skip
        sounds = {"num_audio_tokens": [found.count("a")] * 2}
        order = Qwen3OmniMoeProcessor.replace_video_with_audio_token(
            processor,
            told,
            place,
            sounds,
            place,
            position_id_per_seconds=Qwen3OmniMoeProcessor.position_id_per_seconds,
        )
        assert found == order
        assert "va" in found and "av" in found, "they are in step"


def test_frames_are_two_a_second_and_a_video_ends_where_it_can_be_decoded(
    encoder: Any, video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = encoder.pictures
    plan = reader.sampling(video(3.4))
    assert (plan.count, plan.of, plan.fps) == (6, 17, 6 / 17 * 5)
    whole = reader.video(video(3.4))
    assert whole.grid == reader.video_grid(video(3.4)) == (3, plan.height // 16, plan.width // 16)
    assert whole.seconds == pytest.approx(2 / plan.fps)

    told = reader.sampling

    def promised(path: Path, frames: int | None = None) -> Any:
        return told(path, frames or 20)

    monkeypatch.setattr(reader, "sampling", promised)
    assert bool((reader.video(video(3.4)).pixels == whole.pixels).all()), "a header that counts too many frames"


def test_what_is_transparent_is_white(encoder: Any, image: Callable[..., Path]) -> None:
    import torch

    found = encoder.pictures.image(image(64, 64, "rgba"))
    import av

    with av.open(str(image(64, 64, "rgba"))) as container:
        values = torch.from_numpy(next(container.decode(video=0)).to_ndarray(format="rgba")).float()
    alpha = values[..., 3:] / 255
    expected = ((values[..., :3] * alpha + 255 * (1 - alpha)).round() - 127.5) / 127.5
    first = found.pixels[0].reshape(3, 2, 16, 16)
    assert found.grid == (1, 4, 4)
    assert torch.allclose(first[:, 0], expected[:16, :16].permute(2, 0, 1), atol=1e-6)
    assert torch.equal(first[:, 0], first[:, 1]), "an image is a pair of equal frames"


def test_a_jpeg_is_seen(encoder: Any, tmp_path: Path) -> None:
    import av
    from triptych.shards.media.probe import probe

    path = tmp_path / "x.jpg"
    values = np.full((48, 64, 3), (200, 100, 50), np.uint8)
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as out:
        stream: Any = out.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(values, format="rgb24").reformat(format="yuvj420p")))
        out.mux(stream.encode(None))
    assert probe(path, kind="image").fields == {"width": 64, "height": 48}
    pixels = encoder.pictures.image(path).pixels.reshape(-1, 3, 2 * 256) * 127.5 + 127.5
    np.testing.assert_allclose(pixels.mean((0, 2)), (200, 100, 50), atol=3)


def test_a_video_that_is_heard_and_one_that_is_not_do_not_fit_in_a_row(
    encoder: Any, row_of: Callable[..., Any], video: Callable[..., Path]
) -> None:
    heard, seen = Video(str(video(1.2)), with_sound=True), Video(str(video(1.2)))
    silent = Video(str(video(1.2, has_sound=False)), with_sound=True)
    for parts, reason in (((heard, seen), "mixed_videos"), ((silent,), "no_audio_stream")):
        with pytest.raises(BadRow) as caught:
            encoder.encode(row_of(parts, ("x",)))
        assert caught.value.reason == reason


def test_a_clip_shorter_than_a_window_is_a_bad_row(
    encoder: Any, row_of: Callable[..., Any], clips: Callable[[float], Path]
) -> None:
    row = row_of((Clip(str(clips(0.0125))), "q"), ("x",))
    for attempt in (encoder.length, encoder.encode):
        with pytest.raises(BadRow) as caught:
            attempt(row)
        assert caught.value.reason == "too_short"


def test_sizes_of_images_are_those_that_budgets_count() -> None:
    import duckdb
    from triptych.shards.budgets import FORMULAS

    connection = duckdb.connect()
    connection.execute(FORMULAS)
    for height, width, tokens in ((100, 100, 9), (10, 10, 4), (20, 3000, 94), (5000, 6000, 16_240)):
        [(counted,)] = connection.execute(f"SELECT image_tokens_of({width}, {height}, 32)").fetchall()
        high, wide = resized(height, width, 32, 4 * 1024, 16_384 * 1024)
        assert high * wide // 1024 == counted == tokens
