"""A cut is the stretch that its span says, counted from the first sound, whatever container the sound lies in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from support.recordings import RATE, chirp, coded, second_heard
from triptych.shards.media.cut import CUT_RATE, Cut, cut_audio
from triptych.shards.media.media import MediaError, MediaStore


def cut(path: Path, store: Path, start: float | None, end: float | None, channel: int | None = None) -> np.ndarray:
    made = cut_audio(MediaStore(store), Cut(path.name, path, start, end, channel))
    samples, rate = soundfile.read(store / made)
    assert rate == CUT_RATE
    return np.asarray(samples)


@pytest.mark.parametrize(
    ("form", "codec", "options"),
    [
        ("mp3", "libmp3lame", {}),
        ("ipod", "aac", {}),
        ("adts", "aac", {}),
        ("mpegts", "aac", {"start_s": 1.0}),
        ("mpegts", "mp2", {"start_s": 10}),
        ("mpeg", "mp2", {}),
        ("matroska", "libmp3lame", {"start_s": 5}),
        ("webm", "libopus", {"start_s": 5}),
        ("ogg", "libopus", {}),
        ("avi", "libmp3lame", {}),
        ("wav", "adpcm_ima_wav", {}),
        ("flv", "libmp3lame", {}),
    ],
)
def test_seconds_count_from_the_first_sound(tmp_path: Path, form: str, codec: str, options: dict[str, Any]) -> None:
    path = coded(tmp_path / "in", form, codec, **options)
    for start, end in ((0, 1.5), (3, 5), (6, 7.5)):
        samples = cut(path, tmp_path, start, end)
        assert len(samples) == (end - start) * CUT_RATE
        assert second_heard(samples[:4000], CUT_RATE) == pytest.approx(start + 0.125, abs=0.03)
        assert second_heard(samples[-4000:], CUT_RATE) == pytest.approx(end - 0.125, abs=0.03)


def test_joined_ogg_files_are_one_recording(tmp_path: Path) -> None:
    low, high = (chirp(3, first=pitch) for pitch in (300, 1300))
    data = b""
    for number, part in enumerate((low, high)):
        soundfile.write(tmp_path / f"{number}.ogg", part, RATE, format="OGG", subtype="OPUS")
        data += (tmp_path / f"{number}.ogg").read_bytes()
    path = tmp_path / "joined.ogg"
    path.write_bytes(data)
    assert len(cut(path, tmp_path, None, None)) == pytest.approx(6 * CUT_RATE, abs=CUT_RATE / 100)
    samples = cut(path, tmp_path, 4, 5.5)
    assert len(samples) == 1.5 * CUT_RATE
    assert second_heard(samples[:4000], CUT_RATE) - 10 == pytest.approx(1 + 0.125, abs=0.03)


def test_a_hole_in_the_times_is_silence(tmp_path: Path) -> None:
    """What a player plays at second 5 is what a span at second 5 gets, with a seek and without."""
    whole = coded(tmp_path / "whole", "matroska", "libopus")
    path = tmp_path / "hole"
    with av.open(str(whole)) as source, av.open(str(path), "w", format="matroska") as out:
        stream = source.streams.audio[0]
        copy = out.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None and not 2 <= packet.pts * packet.time_base < 4:
                packet.stream = copy
                out.mux(packet)
    samples = cut(path, tmp_path, None, 6)
    assert second_heard(samples[5 * CUT_RATE : 5 * CUT_RATE + 4000], CUT_RATE) == pytest.approx(5.125, abs=0.03)
    assert not np.abs(samples[int(2.1 * CUT_RATE) : int(3.9 * CUT_RATE)]).any()
    assert second_heard(cut(path, tmp_path, 5, 6)[:4000], CUT_RATE) == pytest.approx(5.125, abs=0.03)


def test_a_channel_is_chosen_as_a_span_is(tmp_path: Path) -> None:
    left, right = chirp(), chirp(first=900)
    path = tmp_path / "two.wav"
    soundfile.write(path, np.stack([left, right], axis=1), RATE)
    assert second_heard(cut(path, tmp_path, 3, 4, 0)[:4000], CUT_RATE) == pytest.approx(3.125, abs=0.01)
    assert second_heard(cut(path, tmp_path, 3, 4, 1)[:4000], CUT_RATE) == pytest.approx(9.125, abs=0.01)
    assert second_heard(cut(path, tmp_path, None, None, 1)[:4000], CUT_RATE) == pytest.approx(6.125, abs=0.01)
    with pytest.raises(MediaError, match="channel 2") as caught:
        cut(path, tmp_path, 3, 4, 2)
    assert caught.value.reason == "no_such_channel"


def test_a_channel_of_planar_sound(tmp_path: Path) -> None:
    path = tmp_path / "two.ogg"
    soundfile.write(path, np.stack([chirp(), chirp(first=900)], axis=1), RATE, format="OGG", subtype="VORBIS")
    assert second_heard(cut(path, tmp_path, 3, 4, 1)[:4000], CUT_RATE) == pytest.approx(9.125, abs=0.01)


def test_a_rounded_end_is_forgiven_and_a_missing_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, chirp(3), RATE)
    assert len(cut(path, tmp_path, 1, 3.03)) == 2 * CUT_RATE
    for span in ((1, 3.2), (2, 6), (4, 5)):
        with pytest.raises(MediaError) as caught:
            cut(path, tmp_path, *span)
        assert caught.value.reason == "span_outside_media"
