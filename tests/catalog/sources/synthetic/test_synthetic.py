"""The synthetic source: its files are exact and reproducible."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from triptych.catalog.sources.synthetic.source import LANGUAGES, SyntheticSource
from triptych.catalog.sources.synthetic.speech import SAMPLE_RATE, Speech, speak, split_words
from triptych.catalog.sources.synthetic.video import MOTIONS, SHAPES, Scene, draw_frame, encode_scene
from triptych.errors import UsageError

pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'triptych[demo]'")


KINDS = ("speech", "video", "av")


def digests(source: SyntheticSource, files: int | None = None) -> list[tuple[str, str]]:
    return [(file.name, hashlib.sha256(file.read()).hexdigest()) for file in islice(source.files(), files)]


def samples(source: SyntheticSource) -> Iterator[tuple[bytes, dict[str, Any]]]:
    files = source.files()
    for media, side in zip(files, files, strict=True):
        yield media.read(), json.loads(side.read())


def decoded(media: bytes, kind: str) -> list[np.ndarray[Any, Any]]:
    with av.open(io.BytesIO(media), "r") as container:
        if kind == "video":
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return [frame.to_ndarray()[0] for frame in container.decode(audio=0)]


def loudness(pcm: np.ndarray[Any, Any], rate: int, spans: list[dict[str, Any]]) -> tuple[float, float]:
    """RMS inside and outside the spans."""
    inside = np.zeros(len(pcm), dtype=bool)
    for span in spans:
        inside[round(span["start_s"] * rate) : round(span["end_s"] * rate)] = True
    power = pcm.astype(np.float64) ** 2
    return float(np.sqrt(power[inside].mean())), float(np.sqrt(power[~inside].mean()))


# Reproducible
@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_bytes_in_this_and_in_a_fresh_process(kind: str) -> None:
    source = SyntheticSource(kind=kind, seed=11, count=2)
    first = digests(source)
    speak("Something else in between, with another voice.", "de+m3", rate=120)
    assert digests(source) == first

    program = (
        "import hashlib; from triptych.catalog.sources.synthetic.source import SyntheticSource\n"
        f"for file in SyntheticSource(kind={kind!r}, seed=11, count=2).files():\n"
        "    print(file.name, hashlib.sha256(file.read()).hexdigest())\n"
    )
    environment = {**os.environ, "MALLOC_PERTURB_": "170"}  # glibc fills new memory: nothing may depend on it
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert [tuple(line.split()) for line in done.stdout.splitlines()] == first


@pytest.mark.parametrize("kind", KINDS)
def test_n_samples_are_a_prefix_of_m_samples_and_of_an_endless_corpus(kind: str) -> None:
    three = digests(SyntheticSource(kind=kind, seed=3, count=3))
    assert len(three) == 6
    assert digests(SyntheticSource(kind=kind, seed=3, count=2)) == three[:4]
    assert digests(SyntheticSource(kind=kind, seed=3, count=None), 4) == three[:4]


def test_another_seed_is_another_corpus() -> None:
    one, other = (digests(SyntheticSource(kind="speech", seed=seed, count=4)) for seed in (1, 2))
    assert [name for name, _ in one] == [name for name, _ in other]
    assert not {digest for _, digest in one} & {digest for _, digest in other}


def test_unread_files_are_not_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triptych.catalog.sources.synthetic.speech.speak", None)
    names = [file.name for file in SyntheticSource(kind="speech", count=1000).files()]
    assert len(names) == 2000


def test_splits_are_mixed_evenly_whatever_the_count() -> None:
    source = SyntheticSource(kind="video", count=100)
    splits = [source.split_of(number) for number in range(100)]
    assert splits.count("train") == pytest.approx(80, abs=1)
    assert splits.count("validation") == pytest.approx(10, abs=1)
    assert splits.count("test") == pytest.approx(10, abs=1)
    assert all(set(splits[first : first + 20]) == {"train", "validation", "test"} for first in range(80))
    wanted = [file.name for file in source.files(wants=lambda split: split == "test")]
    assert len(wanted) == 2 * splits.count("test")
    assert all(name.startswith("test/") for name in wanted)


@pytest.mark.parametrize(
    "options",
    [{"kind": "music"}, {"kind": "speech", "languages": ["tlh"]}, {"kind": "av", "count": -1},
     {"kind": "video", "splits": {"train": 0.0}}, {"kind": "video", "splits": {"../train": 1.0}}],
)  # fmt: skip
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        SyntheticSource(**options)


def test_without_espeak_the_message_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(UsageError, match="synthetic source needs espeak-ng") as raised:
        next(SyntheticSource(kind="speech").files())
    assert raised.value.hint == "pip install 'triptych[demo]'"
    assert next(SyntheticSource(kind="video").files()).name == "train/video-000000.mp4"


# Speech
@pytest.fixture(scope="module")
def spoken() -> list[tuple[bytes, dict[str, Any]]]:
    return list(samples(SyntheticSource(kind="speech", seed=5, count=60)))


def test_speech_is_16_khz_mono_of_the_length_the_sidecar_says(spoken: list[tuple[bytes, dict[str, Any]]]) -> None:
    for media, columns in spoken:
        pcm, rate = soundfile.read(io.BytesIO(media), dtype="int16")
        assert (rate, pcm.ndim) == (16_000, 1)
        assert len(pcm) == int(columns["extra"]["frames_16k"])
        assert 2.0 < len(pcm) / rate < 8.0
        assert 1000 < np.abs(pcm.astype(int)).max() < 32767, "neither silent nor clipped"


def test_speech_has_every_language_and_several_speakers(spoken: list[tuple[bytes, dict[str, Any]]]) -> None:
    assert {columns["language"] for _, columns in spoken} == set(LANGUAGES)
    assert len({columns["speaker"] for _, columns in spoken}) > 15
    assert len({columns["text"] for _, columns in spoken}) > 55


def test_words_are_those_of_the_text_in_order_and_inside_the_audio(spoken: list[tuple[bytes, dict[str, Any]]]) -> None:
    for media, columns in spoken:
        words, duration = columns["words"], soundfile.info(io.BytesIO(media)).duration
        if columns["language"] == "zh":
            assert "".join(word["text"] for word in words) == columns["text"].translate(str.maketrans("", "", "，。"))
        else:
            assert [word["text"] for word in words] == split_words(columns["text"])
        for timed in (words, columns["phones"]):
            assert timed[0]["start_s"] >= 0
            assert all(one["start_s"] < one["end_s"] for one in timed)
            assert all(one["end_s"] <= other["start_s"] for one, other in pairwise(timed))
            assert timed[-1]["end_s"] <= duration


def test_every_word_sounds_and_the_rest_is_silent(spoken: list[tuple[bytes, dict[str, Any]]]) -> None:
    for media, columns in spoken:
        pcm, rate = soundfile.read(io.BytesIO(media), dtype="int16")
        inside, outside = loudness(pcm, rate, columns["words"])
        assert inside > 20 * outside, columns["text"]
        for word in columns["words"]:
            assert loudness(pcm, rate, [word])[0] > inside / 20, word


def test_every_phone_lies_within_a_word(spoken: list[tuple[bytes, dict[str, Any]]]) -> None:
    for _, columns in spoken:
        for phone in columns["phones"]:
            assert any(
                word["start_s"] <= phone["start_s"] and phone["end_s"] <= word["end_s"] for word in columns["words"]
            ), phone


def test_word_times_follow_the_rate_of_speech() -> None:
    text = "The baker sold, before noon, seven small cakes."
    slow, fast = (speak(text, "en-gb-x-rp+f2", rate=rate) for rate in (100, 200))
    assert slow.duration > 1.5 * fast.duration
    for speech in (slow, fast):
        assert speech.words is not None
        assert [word.text for word in speech.words] == split_words(text)
        sold, before = speech.words[2], speech.words[3]
        assert before.start_s - sold.end_s > 0.05, "the comma is a pause"
        gap = speech.pcm[round((sold.end_s + 0.04) * SAMPLE_RATE) : round((before.start_s - 0.04) * SAMPLE_RATE)]
        assert np.abs(gap.astype(int)).max() < 0.03 * np.abs(speech.pcm.astype(int)).max()


def test_words_spoken_as_one_have_no_times_rather_than_wrong_ones() -> None:
    speech: Speech = speak("He ran out of the house.", "en-us")
    assert speech.words is None
    assert speech.phones


def test_an_unknown_voice_is_named() -> None:
    with pytest.raises(UsageError, match="xx-nowhere"):
        speak("Hello.", "xx-nowhere")


# Video
def test_video_decodes_to_the_declared_frames_and_moves() -> None:
    for media, columns in samples(SyntheticSource(kind="video", seed=5, count=4)):
        frames = decoded(media, "video")
        assert len(frames) == int(columns["extra"]["video_frames"])
        assert frames[0].shape == (240, 320, 3)
        changes = [np.abs(one.astype(int) - other).max() for one, other in pairwise(frames)]
        assert np.mean([change > 20 for change in changes]) > 0.8
        assert columns["text"] == columns["captions"][0]
        for fact in ("shape", "colour", "background"):
            assert columns["extra"][fact] in columns["text"].lower()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("motion", MOTIONS)
def test_every_shape_stays_in_the_picture_and_goes_where_the_caption_says(shape: str, motion: str) -> None:
    scene = Scene(shape, "red", motion, "black")
    centres, areas = [], []
    for progress in (0.0, 0.25, 0.5, 1.0):
        red = draw_frame(scene, progress, 320, 240)[..., 0] > 100
        edges = np.concatenate([red[0], red[-1], red[:, 0], red[:, -1]])
        assert red.any() and not edges.any()
        centres.append(np.argwhere(red).mean(axis=0))
        areas.append(int(red.sum()))
    (top, left), (bottom, right) = centres[0], centres[-1]
    assert (right - left > 100) == (motion == "right")
    assert (left - right > 100) == (motion == "left")
    assert (bottom - top > 100) == (motion == "down")
    assert (top - bottom > 100) == (motion == "up")
    assert (areas[-1] > 4 * areas[0]) == (motion == "grow")
    assert (areas[0] > 4 * areas[-1]) == (motion == "shrink")
    assert (abs(centres[1][0] - top) > 50) == (motion in {"bounce", "circle"})


def test_an_encoded_frame_looks_like_the_drawn_one() -> None:
    scene = Scene("star", "orange", "circle", "dark blue")
    frames = decoded(encode_scene(scene, frames=12, fps=12), "video")
    for number in (0, 5, 11):
        drawn = draw_frame(scene, number / 11, 320, 240).astype(int)
        assert np.abs(frames[number] - drawn).mean() < 6


# Audio and video together
def test_av_holds_a_voice_that_fits_the_words_and_the_picture() -> None:
    for media, columns in samples(SyntheticSource(kind="av", seed=5, count=4)):
        frames, sound = decoded(media, "video"), np.concatenate(decoded(media, "audio"))
        assert len(frames) == int(columns["extra"]["video_frames"])
        spoken_frames = int(columns["extra"]["frames_16k"])
        assert spoken_frames <= len(sound) < spoken_frames + 2048, "AAC pads to whole frames"
        assert len(sound) / 16_000 <= len(frames) / int(columns["extra"]["fps"])
        assert [word["text"] for word in columns["words"]] == split_words(columns["extra"]["speech"])
        inside, outside = loudness(sound[:spoken_frames], 16_000, columns["words"])
        assert inside > 20 * outside
        assert columns["text"] == f'{columns["captions"][0]} A voice says: "{columns["extra"]["speech"]}"'
        assert f"{columns['extra']['colour']} {columns['extra']['shape']}" in columns["extra"]["speech"]
