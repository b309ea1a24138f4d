"""Cutting clips: exact where it copies, exact where it encodes, and honest about which it did."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from support import recordings
from triptych.catalog.sources.synthetic.video import Sound, draw_scene, encode_scene
from triptych.shards.media.clip import cut_clip, join_tracks
from triptych.shards.media.media import MediaError
from triptych.shards.media.probe import probe

RATE = 16_000
FPS = 20


def ramp(seconds: float, rate: int = RATE) -> np.ndarray:
    """A tone whose pitch is 200 Hz in the first second, 300 in the next, and so on: it says where it was cut."""
    time = np.arange(round(seconds * rate)) / rate
    pitch = 200 + 100 * np.floor(time)
    return (8000 * np.sin(2 * np.pi * np.cumsum(pitch) / rate)).astype(np.int16)


def pitch_at(samples: np.ndarray, second: float, rate: int = RATE) -> float:
    """The strongest frequency in the 0.4 s after a moment."""
    part = samples[round(second * rate) : round((second + 0.4) * rate)].astype(float)
    return float(np.argmax(np.abs(np.fft.rfft(part * np.hanning(len(part)))))) * rate / len(part)


def heard(path: Path) -> np.ndarray:
    """All samples of the sound in a file, mono, 16 kHz."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        blocks = [b.to_ndarray().reshape(-1) for f in container.decode(audio=0) for b in resampler.resample(f)]
        return np.concatenate([*blocks, *(b.to_ndarray().reshape(-1) for b in resampler.resample(None))])


def coded(path: Path, codec: str, form: str, seconds: float, rate: int = 48_000) -> Path:
    with av.open(str(path), "w", format=form) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(ramp(seconds, rate).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate)
        for block in resampler.resample(frame):
            out.mux(stream.encode(block))
        out.mux(stream.encode(None))
    return path


def grey_video(
    path: Path,
    *,
    seconds: int,
    keyframe_every: int,
    sound: bool = True,
    form: str = "mp4",
    sound_at: int = 0,
    rotation: int = 0,
) -> Path:
    """A picture that is brighter with every second, and the rising tone beside it, which begins at `sound_at`."""
    with av.open(str(path), "w", format=form) as out:
        video = out.add_stream("libx264", rate=FPS, options={"g": str(keyframe_every), "sc_threshold": "0"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        if rotation:
            video.set_display_rotation(rotation)
        audio = out.add_stream("aac", rate=RATE, layout="mono") if sound else None
        for number in range(seconds * FPS):
            picture = np.full((48, 64, 3), 20 * (number // FPS) + 20, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if audio is not None:
            heard = ramp(seconds)[sound_at * RATE :].reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(heard, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, sound_at * RATE, Fraction(1, RATE)
            out.mux(audio.encode(frame))
            out.mux(audio.encode(None))
    return path


def pictures(path: Path) -> list[tuple[float, float]]:
    """(time, brightness) of every frame."""
    with av.open(str(path)) as container:
        return [(float(f.time), float(f.to_ndarray(format="gray").mean())) for f in container.decode(video=0)]


def brightness(second: int) -> float:
    return 20.0 * second + 20


def test_a_wav_is_cut_to_the_sample_and_stays_as_it_was(tmp_path: Path) -> None:
    whole = ramp(5)
    soundfile.write(tmp_path / "in.wav", whole, RATE, subtype="PCM_16")
    clip = cut_clip(tmp_path / "in.wav", tmp_path / "out", kind="audio", start_s=1.2345, end_s=3.5)
    samples, rate = soundfile.read(clip.path, dtype="int16")
    assert rate == RATE
    assert clip.how == "encoded"
    assert np.array_equal(samples, whole[round(1.2345 * RATE) : round(3.5 * RATE)])


def test_flac_between_packets_is_encoded_without_loss(tmp_path: Path) -> None:
    whole = ramp(5)
    soundfile.write(tmp_path / "in.flac", whole, RATE, subtype="PCM_16")
    clip = cut_clip(tmp_path / "in.flac", tmp_path / "out", kind="audio", start_s=1.1, end_s=3.3)
    assert clip.how == "encoded"
    samples, _ = soundfile.read(clip.path, dtype="int16")
    assert np.array_equal(samples, whole[round(1.1 * RATE) : round(3.3 * RATE)])


@pytest.mark.parametrize(("codec", "form"), [("aac", "mp4"), ("libopus", "ogg"), ("libopus", "webm")])
def test_aac_and_opus_are_copied_packet_by_packet(tmp_path: Path, codec: str, form: str) -> None:
    source = coded(tmp_path / "in", codec, form, 6)
    clip = cut_clip(source, tmp_path / "out", kind="audio", start_s=2.0, end_s=4.0)
    assert clip.how == "copy"
    assert clip.duration == pytest.approx(2.0, abs=0.05)
    samples = heard(clip.path)
    assert pitch_at(samples, 0.3) == pytest.approx(400, abs=5)
    assert pitch_at(samples, 1.3) == pytest.approx(500, abs=5)
    assert source.is_file()


def test_mp3_is_decoded_because_its_packets_lean_on_earlier_ones(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "in.mp3", ramp(6, 44_100), 44_100, format="MP3")
    clip = cut_clip(tmp_path / "in.mp3", tmp_path / "out", kind="audio", start_s=2, end_s=4)
    assert clip.how == "encoded"
    assert soundfile.info(clip.path).frames == 2 * 44_100
    assert pitch_at(heard(clip.path), 1.3) == pytest.approx(500, abs=5)


def test_a_video_is_copied_where_a_keyframe_begins_the_span(tmp_path: Path) -> None:
    source = grey_video(tmp_path / "in.mp4", seconds=6, keyframe_every=FPS)
    clip = cut_clip(source, tmp_path / "out", kind="video", start_s=2, end_s=4, sound_required=True)
    assert clip.how == "copy"
    check_two_seconds_from_the_second(clip.path)


def test_a_video_is_encoded_where_none_does(tmp_path: Path) -> None:
    source = grey_video(tmp_path / "in.mp4", seconds=6, keyframe_every=1000)
    clip = cut_clip(source, tmp_path / "out", kind="video", start_s=2, end_s=4, sound_required=True)
    assert clip.how == "encoded"
    check_two_seconds_from_the_second(clip.path)


def check_two_seconds_from_the_second(path: Path) -> None:
    """Picture and sound both begin at 2 s, change at 3 s and end at 4 s."""
    frames = pictures(path)
    assert frames[0][0] == pytest.approx(0, abs=0.05)
    assert 40 <= len(frames) <= 44
    for time, shade in frames[:40]:
        assert shade == pytest.approx(brightness(2 if time < 0.99 else 3), abs=8), time
    samples = heard(path)
    assert pitch_at(samples, 0.3) == pytest.approx(400, abs=5)
    assert pitch_at(samples, 1.3) == pytest.approx(500, abs=5)
    assert len(samples) == pytest.approx(2 * RATE, abs=0.15 * RATE)


def test_the_sound_of_a_video_is_taken_alone_where_sound_is_wanted(tmp_path: Path) -> None:
    source = grey_video(tmp_path / "in.mp4", seconds=4, keyframe_every=FPS)
    clip = cut_clip(source, tmp_path / "out", kind="audio")
    with av.open(str(clip.path)) as container:
        assert not container.streams.video
    assert len(heard(clip.path)) == pytest.approx(4 * RATE, abs=0.1 * RATE)


def test_what_is_wanted_whole_is_left_as_it_is(tmp_path: Path) -> None:
    source = grey_video(tmp_path / "in.mp4", seconds=2, keyframe_every=FPS)
    before = source.read_bytes()
    clip = cut_clip(source, tmp_path / "out", kind="video")
    assert (clip.how, clip.path, source.read_bytes()) == ("whole", source, before)


def refused(source: Path, target: Path, **options: Any) -> str:
    with pytest.raises(MediaError) as caught:
        cut_clip(source, target, **options)
    assert not target.exists()
    return caught.value.reason


def test_what_cannot_be_cut_says_why_and_leaves_no_file(tmp_path: Path) -> None:
    mute = grey_video(tmp_path / "mute.mp4", seconds=2, keyframe_every=FPS, sound=False)
    sound = coded(tmp_path / "sound.m4a", "aac", "mp4", 2)
    (tmp_path / "page").write_text("<html>")
    out = tmp_path / "out"
    assert refused(mute, out, kind="audio", start_s=0, end_s=1) == "no_audio"
    assert refused(mute, out, kind="video", sound_required=True) == "no_audio"
    assert refused(sound, out, kind="video") == "no_video"
    assert refused(sound, out, kind="audio", start_s=5, end_s=6) == "too_short"
    assert refused(sound, out, kind="audio", start_s=1, end_s=9) == "too_short"
    assert refused(sound, out, kind="audio", start_s=1, end_s=1) == "bad_span"
    assert refused(tmp_path / "page", out, kind="audio", start_s=0, end_s=1) == "not_media"


def test_a_span_that_ends_a_moment_after_the_file_gives_what_is_there(tmp_path: Path) -> None:
    source = coded(tmp_path / "in.m4a", "aac", "mp4", 4)
    clip = cut_clip(source, tmp_path / "out", kind="audio", start_s=2, end_s=4.3)
    assert clip.duration == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(
    ("form", "codec", "start_s"), [("matroska", "libmp3lame", 5), ("matroska", "libopus", 5), ("adts", "aac", 0)]
)
def test_seconds_of_a_clip_count_from_the_first_sound(tmp_path: Path, form: str, codec: str, start_s: int) -> None:
    source = recordings.coded(tmp_path / "in", form, codec, start_s=start_s)
    for span, seconds in (((2, 4), 2), ((6, None), 2)):
        clip = cut_clip(source, tmp_path / "out", kind="audio", start_s=span[0], end_s=span[1])
        samples = heard(clip.path)
        assert len(samples) == pytest.approx(seconds * RATE, abs=0.05 * RATE)
        assert recordings.second_heard(samples[4000:8000], RATE) == pytest.approx(span[0] + 0.375, abs=0.03)


def test_a_source_that_is_shorter_than_it_says_gives_no_short_clip(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "in.flac", np.random.default_rng(0).normal(0, 0.1, 6 * RATE), RATE)
    data = (tmp_path / "in.flac").read_bytes()
    (tmp_path / "in.flac").write_bytes(data[: len(data) // 2])
    assert refused(tmp_path / "in.flac", tmp_path / "out", kind="audio", start_s=1, end_s=5) == "cut_failed"


def test_sound_that_begins_after_the_picture_stays_beside_it(tmp_path: Path) -> None:
    source = grey_video(tmp_path / "in.mp4", seconds=5, keyframe_every=1000, sound_at=2)
    clip = cut_clip(source, tmp_path / "out", kind="video", start_s=1, end_s=4)
    with av.open(str(clip.path)) as container:
        first = next(container.decode(audio=0))
    assert clip.how == "encoded"
    assert pitch_at(heard(clip.path), 1.55 - first.time) == pytest.approx(400, abs=5)
    assert pitch_at(heard(clip.path), 2.05 - first.time) == pytest.approx(500, abs=5)


@pytest.mark.parametrize("keyframe_every", [FPS, 1000])
def test_a_turned_video_stays_turned(tmp_path: Path, keyframe_every: int) -> None:
    source = grey_video(tmp_path / "in.mp4", seconds=4, keyframe_every=keyframe_every, rotation=90)
    clip = cut_clip(source, tmp_path / "out", kind="video", start_s=2, end_s=4)
    fields = probe(clip.path).fields
    assert (fields["width"], fields["height"]) == (48, 64)


def test_a_span_at_the_start_of_a_real_scene_keeps_its_sound(tmp_path: Path) -> None:
    sound = Sound(ramp(3), RATE)
    source = tmp_path / "scene.mp4"
    source.write_bytes(encode_scene(draw_scene(random.Random(1)), frames=3 * FPS, fps=FPS, sound=sound))
    clip = cut_clip(source, tmp_path / "out", kind="video", end_s=2, sound_required=True)
    assert clip.how == "copy"
    assert clip.duration == pytest.approx(2, abs=0.21)


def test_picture_and_sound_of_two_files_become_one(tmp_path: Path) -> None:
    picture = grey_video(tmp_path / "v.mp4", seconds=3, keyframe_every=FPS, sound=False)
    sound = coded(tmp_path / "a.webm", "libopus", "webm", 3)
    join_tracks(picture, sound, tmp_path / "both")
    assert len(pictures(tmp_path / "both")) == 3 * FPS
    assert pitch_at(heard(tmp_path / "both"), 1.3) == pytest.approx(300, abs=5)


@pytest.mark.shared
def test_real_videos_are_cut_to_length_whatever_holds_them(shared: Path, tmp_path: Path) -> None:
    videos = sorted(each for form in ("avi", "mp4") for each in (shared / "media").rglob(f"*.{form}"))[:6]
    assert len(videos) >= 4
    for source in videos:
        with av.open(str(source)) as container:
            length = float(container.duration) / 1_000_000
        clip = cut_clip(source, tmp_path / source.name, kind="video", start_s=length * 0.3, end_s=length * 0.7)
        assert clip.duration == pytest.approx(length * 0.4, abs=0.25), source.name
        assert len(pictures(clip.path)) > 1


@pytest.mark.parametrize(
    ("start", "end", "expected"), [(1.0, 2.4, {5: 0.0, 6: 0.5, 7: 1.0}), (1.75, 2.4, {6: 0.0, 7: 0.25})]
)
def test_frames_of_any_length_are_on_their_side_of_a_cut(
    tmp_path: Path, start: float, end: float, expected: dict[int, float]
) -> None:
    """Frame 5 follows a burst, and frame 6 is shown when the second span begins; the mean rate tells neither."""
    times = [0.9, 0.92, 0.94, 0.96, 0.98, 1.0, 1.5, 2.0, 3.0, 3.5]
    with av.open(str(tmp_path / "in.mkv"), "w") as out:
        video = out.add_stream("libx264", rate=3)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * number + 20, dtype=np.uint8), format="rgb24")
            frame.pts, frame.time_base = round((time - 0.9) * 1000), Fraction(1, 1000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    clip = cut_clip(
        tmp_path / "in.mkv", tmp_path / "out", kind="video", start_s=start - 0.9, end_s=end - 0.9, exact=True
    )
    found = {round((grey - 20) / 20): time for time, grey in pictures(clip.path)}
    assert found == pytest.approx(expected, abs=0.002)
