"""Checks measure what is in the file: known signals, damaged files, real ones whose decoded lengths are on record."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pytest
import soundfile
import yaml
from support.places import DATA
from triptych.shards.media.riff import riff_sound
from triptych.validators.checks import COLUMNS, REVISION, measure
from triptych.validators.checks.schema import CHECKS_SCHEMA

MEDIA = DATA / "media"
RATE = 16000


def sine(seconds: float, *, peak: float = 0.5, hertz: float = 100.0, rate: int = RATE) -> Any:
    return peak * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def check(path: Path, **columns: Any) -> dict[str, Any]:
    return measure({"id": "x", "dataset": "d", "audio": {"path": str(path)}, **columns}, root=Path("/"))


def write(path: Path, samples: Any, *, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


# --- known signals -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.flac", "PCM_16"), ("a.flac", "PCM_24"), ("a.wav", "PCM_16"), ("a.wav", "FLOAT"), ("a.wav", "DOUBLE")],
)
def test_a_sine_has_the_levels_of_the_textbook(tmp_path: Path, name: str, subtype: str) -> None:
    found = check(write(tmp_path / name, sine(2.0, peak=0.5), subtype=subtype))
    assert found["audio_error"] is None
    assert found["audio_decoded_frames"] == 2 * RATE
    assert found["audio_decoded_duration"] == found["audio_declared_duration"] == found["clip_s"] == 2.0
    assert (found["audio_sample_rate"], found["audio_channels"]) == (RATE, 1)
    assert found["peak_dbfs"] == pytest.approx(20 * math.log10(0.5), abs=0.01)
    assert found["rms_dbfs"] == pytest.approx(10 * math.log10(0.125), abs=0.01)
    assert found["dc_offset"] == pytest.approx(0, abs=1e-4)
    assert found["clipped_share"] == found["silence_ratio"] == found["leading_silence_s"] == 0
    assert found["non_finite"] == 0


def test_what_is_left_of_channels_that_are_mixed_to_one(tmp_path: Path) -> None:
    one, other = sine(1.0), sine(1.0, hertz=170.0)
    pairs = {"equal": (one, one), "apart": (one, other), "opposite": (one, -one), "one": (one, 0 * one)}
    gains = {}
    for name, pair in pairs.items():
        path = write(tmp_path / f"{name}.wav", np.stack(pair, axis=1), subtype="FLOAT")
        gains[name] = check(path)["mono_gain_db"]
        assert check(path, channel=0)["mono_gain_db"] is None
    assert gains == pytest.approx({"equal": 0.0, "apart": -3.01, "opposite": -200.0, "one": -3.01}, abs=0.01)
    assert check(write(tmp_path / "mono.wav", one))["mono_gain_db"] is None
    assert check(write(tmp_path / "silent.wav", np.zeros((RATE, 2))))["mono_gain_db"] is None


def test_levels_do_not_depend_on_where_blocks_end(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 3_000_007)
    path = write(tmp_path / "a.wav", samples, subtype="DOUBLE")
    found = check(path)
    assert found["audio_decoded_frames"] == len(samples)
    assert found["peak_dbfs"] == pytest.approx(20 * math.log10(np.abs(samples).max()), abs=1e-5)
    assert found["rms_dbfs"] == pytest.approx(10 * math.log10(np.mean(samples**2)), abs=1e-5)
    assert found["dc_offset"] == pytest.approx(samples.mean(), abs=1e-7)


def test_silence_before_and_after_is_measured_to_a_hundredth_of_a_second(tmp_path: Path) -> None:
    gap = np.zeros(RATE)
    found = check(write(tmp_path / "a.flac", np.concatenate([gap, sine(1.0), gap[: RATE // 2]])))
    assert found["leading_silence_s"] == pytest.approx(1.0, abs=0.0101)
    assert found["trailing_silence_s"] == pytest.approx(0.5, abs=0.0101)
    assert found["silence_ratio"] == pytest.approx(1.5 / 2.5, abs=0.01)


def test_silence_is_judged_against_the_clips_own_level(tmp_path: Path) -> None:
    quiet, loud = sine(1.0, peak=0.002), sine(1.0, peak=0.8)
    assert check(write(tmp_path / "a.flac", np.concatenate([quiet, loud])))["silence_ratio"] == pytest.approx(0.5)
    assert check(write(tmp_path / "b.flac", quiet))["silence_ratio"] == 0


def test_digital_silence(tmp_path: Path) -> None:
    found = check(write(tmp_path / "a.flac", np.zeros(RATE)))
    assert found["peak_dbfs"] == found["rms_dbfs"] == -200.0
    assert (found["silence_ratio"], found["leading_silence_s"], found["trailing_silence_s"]) == (1.0, 1.0, 1.0)


def test_clipped_samples_are_counted(tmp_path: Path) -> None:
    samples = np.full(1000, 0.25)
    samples[:30], samples[30:50] = 1.0, -1.0
    assert check(write(tmp_path / "a.wav", samples))["clipped_share"] == pytest.approx(0.05)
    eight_bit = check(write(tmp_path / "b.wav", samples, subtype="PCM_U8"))
    assert eight_bit["clipped_share"] == pytest.approx(0.05)


def test_the_offset_of_one_channel_is_not_hidden_by_the_other(tmp_path: Path) -> None:
    stereo = np.stack([sine(1.0) + 0.1, sine(1.0) - 0.2], axis=1)
    found = check(write(tmp_path / "a.wav", stereo))
    assert found["audio_channels"] == 2
    assert found["dc_offset"] == pytest.approx(-0.2, abs=1e-3)


def test_nan_and_infinity_are_counted_and_leave_the_other_figures_sane(tmp_path: Path) -> None:
    samples = sine(1.0, peak=0.5)
    samples[[5, 500]], samples[600] = np.nan, np.inf
    found = check(write(tmp_path / "a.wav", samples, subtype="FLOAT"))
    assert found["non_finite"] == 3
    assert found["peak_dbfs"] == pytest.approx(-6.02, abs=0.01)


def test_a_span_has_levels_of_its_own(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", np.concatenate([np.zeros(RATE), sine(1.0, peak=0.5), np.zeros(RATE)]))
    inside = check(path, start_s=1.0, end_s=2.0, text="one two")
    assert inside["clip_s"] == 1.0
    assert inside["silence_ratio"] == 0
    assert inside["rms_dbfs"] == pytest.approx(10 * math.log10(0.125), abs=0.01)
    assert inside["audio_decoded_duration"] == 3.0
    assert inside["characters_per_second"] == 6
    assert check(path, start_s=0.0, end_s=0.9)["peak_dbfs"] == -200.0
    assert check(path, start_s=1.5)["clip_s"] == 1.5
    assert check(path, start_s=7.0, end_s=8.0)["peak_dbfs"] is None


def test_a_channel_has_levels_of_its_own(tmp_path: Path) -> None:
    stereo = np.stack([sine(1.0, peak=0.5), sine(1.0, peak=0.1)], axis=1)
    path = write(tmp_path / "a.wav", stereo)
    for channel, peak in ((0, 0.5), (1, 0.1), (None, 0.5)):
        found = check(path, channel=channel)
        assert found["peak_dbfs"] == pytest.approx(20 * math.log10(peak), abs=0.01)
        assert (found["audio_channels"], found["audio_error"]) == (2, None)
    assert "no channel 2" in check(path, channel=2)["audio_error"]


# --- damaged files -------------------------------------------------------------------------------------------------


def test_a_truncated_flac_does_not_decode_to_its_end(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", np.random.default_rng(0).normal(0, 0.1, 5 * RATE))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = check(path)
    assert found["audio_error"].startswith(f"{path}: ")
    assert found["audio_declared_duration"] == 5.0
    assert found["audio_decoded_duration"] < 3.0


def test_a_wav_whose_header_promises_more_is_caught_though_libsndfile_hides_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sine(2.0))
    path.write_bytes(path.read_bytes()[: 44 + RATE * 2])
    assert soundfile.info(path).frames == RATE
    riff = riff_sound(path)
    assert riff is not None and (riff.declared, riff.present) == (2 * RATE, RATE)
    found = check(path)
    assert (found["audio_declared_duration"], found["audio_decoded_duration"]) == (2.0, 1.0)


def test_a_streamed_wav_header_declares_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sine(1.0))
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    riff = riff_sound(path)
    assert riff is not None and riff.declared is None
    assert check(path)["audio_decoded_duration"] == 1.0


def test_an_empty_file_and_one_that_is_no_sound(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.flac").write_text("not found")
    assert "empty" in check(tmp_path / "a.wav")["audio_error"]
    assert check(tmp_path / "b.flac")["audio_error"]
    assert check(tmp_path)["audio_error"]


def test_a_missing_file_is_a_measurement(tmp_path: Path) -> None:
    gone = {"path": "media/gone.flac"}
    row = {"id": "x", "dataset": "d", "audio": gone, "video": gone, "image": gone, "text": "a",
           "more_media": [{"kind": "audio", "path": "media/other.wav"}]}  # fmt: skip
    found = measure(row, root=tmp_path)
    assert found["missing_media"] == ["media/gone.flac", "media/other.wav"]
    assert found["audio_error"] is found["video_error"] is None
    assert found["word_count"] == 1


def test_further_media_are_decoded_too(tmp_path: Path) -> None:
    good = write(tmp_path / "a.wav", sine(1.0))
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    more = [{"kind": "audio", "path": "a.wav"}, {"kind": "audio", "path": "b.wav"}]
    row = {"id": "x", "dataset": "d", "audio": {"path": str(good)}, "more_media": more}
    assert measure(row, root=tmp_path)["more_media_error"].startswith("b.wav: ")
    assert measure({**row, "more_media": more[:1]}, root=tmp_path)["more_media_error"] is None


# --- video, images, text -------------------------------------------------------------------------------------------


def film(path: Path, *, frames: int = 50, sound_s: float | None = 2.0) -> Path:
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio: Any = container.add_stream("aac", rate=RATE, layout="mono") if sound_s else None
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number * 4 % 256, np.uint8), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(video.encode(picture))
        container.mux(video.encode())
        if audio is not None and sound_s:
            for start, block in blocks(sine(sound_s, hertz=440).astype(np.float32)):
                sound: Any = av.AudioFrame.from_ndarray(block[None], format="fltp", layout="mono")
                sound.rate, sound.pts = RATE, start
                container.mux(audio.encode(sound))
            container.mux(audio.encode())
    return path


def blocks(samples: Any) -> Iterator[tuple[int, Any]]:
    for start in range(0, len(samples), 1024):
        yield start, samples[start : start + 1024]


def test_a_film_with_sound(tmp_path: Path) -> None:
    film(tmp_path / "a.mp4")
    found = measure({"id": "x", "dataset": "d", "video": {"path": "a.mp4"}}, root=tmp_path)
    assert found["video_error"] is found["video_audio_error"] is found["audio_error"] is None
    assert (found["video_width"], found["video_height"], found["video_fps"]) == (64, 48, 25.0)
    assert (found["video_decoded_frames"], found["video_corrupt_frames"]) == (50, 0)
    assert found["video_decoded_duration"] == pytest.approx(2.0)
    assert found["video_has_audio"] is True and found["audio_from"] == "video"
    assert found["audio_codec"] == "aac"
    assert found["audio_decoded_duration"] == pytest.approx(2.0, abs=0.2)
    assert found["peak_dbfs"] == pytest.approx(-6.02, abs=1.0)


def test_a_film_without_sound_and_one_that_is_cut_short(tmp_path: Path) -> None:
    silent = film(tmp_path / "a.mkv", sound_s=None)
    whole = measure({"video": {"path": str(silent)}}, root=tmp_path)
    assert whole["video_has_audio"] is False and whole["audio_from"] is None and whole["clip_s"] is not None
    cut = tmp_path / "b.mp4"
    cut.write_bytes(film(tmp_path / "c.mp4").read_bytes()[:-600])
    assert measure({"video": {"path": str(cut)}}, root=tmp_path)["video_error"]
    sound = write(tmp_path / "a.wav", sine(1.0))
    assert "no video" in measure({"video": {"path": str(sound)}}, root=tmp_path)["video_error"]


def test_an_image(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.png"), "w", format="image2") as container:
        stream: Any = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 30, 20, "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((20, 30, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode())
    found = measure({"image": {"path": "a.png"}}, root=tmp_path)
    assert (found["image_width"], found["image_height"], found["image_error"]) == (30, 20, None)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:20])
    assert measure({"image": {"path": "b.png"}}, root=tmp_path)["image_error"].startswith("b.png: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello big world", {"characters": 13, "word_count": 3, "empty_text": False}),
        ("你好 世界", {"characters": 4, "word_count": 2}),
        (" \n\t", {"characters": 0, "word_count": 0, "empty_text": True}),
        ("a\x00b\x1b\tc\n", {"control_characters": 2}),
        ("caf\ufffd\ufffd", {"replacement_characters": 2, "characters": 5}),
        (None, {"characters": None, "empty_text": None, "word_count": None}),
    ],
)
def test_text(text: str | None, expected: dict[str, Any]) -> None:
    found = measure({"text": text}, root=Path("/"))
    assert {key: found[key] for key in expected} == expected


def test_a_row_fits_the_schema_whatever_it_lacks(tmp_path: Path) -> None:
    full = check(write(tmp_path / "a.flac", sine(1.0)), text="hello")
    empty = measure({}, root=tmp_path)
    table = pa.Table.from_pylist([full, empty], schema=CHECKS_SCHEMA)
    assert table.num_rows == 2
    assert list(full) == list(empty) == CHECKS_SCHEMA.names
    assert full["revision"] == REVISION
    assert all(empty[name] is None for name in COLUMNS)


# --- real files ----------------------------------------------------------------------------------------------------


@cache
def manifest() -> list[dict[str, Any]]:
    with (MEDIA / "MANIFEST.yaml").open() as file:
        files: list[dict[str, Any]] = yaml.load(file, yaml.CSafeLoader)["files"]
    return files


shared = [
    pytest.mark.shared,
    pytest.mark.skipif(not MEDIA.is_dir(), reason=f"the real media is not there: {MEDIA}"),
]


class TestRealFiles:
    pytestmark = shared

    def test_librispeech_lengths_are_those_on_record(self) -> None:
        entries = [item for item in manifest() if item["path"].startswith("librispeech/") and "decoded_s" in item]
        assert len(entries) > 70
        for item in entries:
            found = check(MEDIA / item["path"], text=item.get("transcript"))
            assert found["audio_error"] is None, item["path"]
            assert found["audio_decoded_duration"] == pytest.approx(item["decoded_s"], abs=0.0006)
            assert found["audio_declared_duration"] == found["audio_decoded_duration"]
            if "chars_per_s" in item:
                assert found["characters_per_second"] == pytest.approx(item["chars_per_s"], abs=0.06), item["path"]

    def test_odd_files_are_measured_or_refused_as_on_record(self) -> None:
        entries = [item for item in manifest() if item["path"].startswith("odd_files/")]
        assert len(entries) >= 27
        for item in entries:
            found = check(MEDIA / item["path"])
            broken = "open_error" in item or "decode_error" in item
            assert (found["audio_error"] is not None) == broken, (item["path"], found["audio_error"])
            if "decoded_s" in item:
                assert found["audio_decoded_duration"] == pytest.approx(item["decoded_s"], abs=0.0006), item["path"]
            if item.get("decoded_frames") == 0:
                assert found["audio_decoded_frames"] == 0

    def test_every_recorded_sound_decodes_to_its_recorded_length(self) -> None:
        entries = [item for item in manifest() if "decoded_s" in item and item["bytes"] < 400_000]
        entries = [item for item in entries if not item["path"].startswith(("librispeech/", "odd_files/"))]
        assert len(entries) > 150
        for item in entries:
            found = check(MEDIA / item["path"])
            assert found["audio_error"] is None, item["path"]
            assert found["audio_decoded_duration"] == pytest.approx(item["decoded_s"], abs=0.0006), item["path"]

    def test_every_recorded_film_decodes_to_its_recorded_frames(self) -> None:
        entries = [item for item in manifest() if item.get("kind") == "video" and "decoded_frames" in item]
        assert len(entries) > 10
        for item in entries:
            found = measure({"video": {"path": item["path"]}}, root=MEDIA)
            assert found["video_error"] is None, item["path"]
            assert found["video_decoded_frames"] == item["decoded_frames"], item["path"]
            stream = next(stream for stream in item["streams"] if stream["type"] == "video")
            assert (found["video_width"], found["video_height"]) == (stream["width"], stream["height"])
            assert found["video_has_audio"] == any(stream["type"] == "audio" for stream in item["streams"])
