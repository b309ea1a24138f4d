"""The sound of a clip: the same numbers whichever library decodes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.imported import RATE, noise, sound
from triptych.converters.features import extract
from triptych.shards.media.streams import MediaError
from triptych.trainers.data import sound as sounds


def by_ffmpeg(path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    with monkeypatch.context() as context:
        context.setattr(sounds, "_read_plain", lambda path, rate: None)
        return sounds.read_sound(path, RATE)


@pytest.mark.parametrize("suffix", [".flac", ".wav"])
def test_plain_files_are_decoded_to_the_numbers_of_ffmpeg(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = noise(0.3)
    path = sound(tmp_path / f"a{suffix}", samples)
    found = sounds._read_plain(path, RATE)
    assert found is not None and np.array_equal(found, samples / np.float32(32768))
    assert np.array_equal(found, by_ffmpeg(path, monkeypatch)) and found.dtype == np.float32
    stereo = sound(tmp_path / f"b{suffix}", np.stack([samples, samples], axis=1))
    slow = sound(tmp_path / f"c{suffix}", samples, rate=8_000)
    for other in (stereo, slow):
        assert sounds._read_plain(other, RATE) is None and len(sounds.read_sound(other, RATE)) >= len(samples)


@pytest.mark.parametrize("channels", [2, 4])
def test_channels_are_heard_as_their_mean_as_the_models_own_loaders_do(channels: int, tmp_path: Path) -> None:
    samples = np.stack([noise(0.1, seed=each) for each in range(channels)], axis=1)
    path = sound(tmp_path / "a.wav", samples)
    for found in (sounds.read_sound(path, RATE), extract._heard(path)):
        assert np.allclose(found, samples.mean(axis=1) / 32768, atol=1e-6)


def test_a_damaged_file_is_what_ffmpeg_makes_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sound(tmp_path / "a.flac", noise(1.0)).read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for name, data in (("cut.flac", whole[: len(whole) // 2]), ("flipped.flac", bytes(flipped)), ("no.flac", b"no")):
        path = tmp_path / name
        path.write_bytes(data)
        found = []
        for read in (lambda p: sounds.read_sound(p, RATE), lambda p: by_ffmpeg(p, monkeypatch)):
            try:
                found.append(read(path))
            except MediaError as error:
                found.append(np.array([error.reason, error.detail]))
        assert np.array_equal(*found)
