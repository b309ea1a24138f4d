"""Changed sound: speed, noise and gain do what their numbers say, to the sample, and the same everywhere."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from triptych.shards.media.augment import (
    Recipe,
    at_speed,
    augment,
    babble,
    length_at_speed,
    noise_gain,
    pink_noise,
    rms,
    white_noise,
)
from triptych.shards.media.streams import MediaError

RATE = 16_000


def tone(pitch: float, seconds: float = 1.0, *, peak: int = 8_000) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    made: np.ndarray = np.rint(peak * np.sin(2 * np.pi * pitch * time)).astype(np.int16)
    return made


def pitch_of(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 17))
    return float(spectrum.argmax()) * RATE / (1 << 17)


def test_the_gain_of_noise_for_a_ratio() -> None:
    assert noise_gain(0.1, 0.05, 10) == pytest.approx(0.632456, abs=5e-7)
    assert noise_gain(0.1, 0.1, 0) == 1.0


@pytest.mark.parametrize("snr", [5.0, 12.3, 20.0])
def test_noise_is_as_far_below_the_sound_as_asked(snr: float) -> None:
    speech = tone(300)
    added = augment(speech, Recipe(snr_db=snr), white_noise(4_000, "a")).samples.astype(np.int64) - speech
    assert 20 * np.log10(rms(speech) / rms(added)) == pytest.approx(snr, abs=0.01)
    # The noise is shorter than the sound: it is repeated.
    assert np.abs(added[:4_000] - added[4_000:8_000]).max() <= 1


def test_speed_is_that_of_a_tape() -> None:
    assert (length_at_speed(27 * RATE, 0.9), length_at_speed(round(27.5 * RATE), 0.9)) == (30 * RATE, 488_889)
    for speed in (0.9, 0.95, 1.1):
        played = at_speed(tone(440), speed)
        assert len(played) == length_at_speed(RATE, speed)
        assert pitch_of(played) == pytest.approx(440 * speed, abs=0.5)
    assert np.array_equal(at_speed(tone(440), 1.0), tone(440))


def test_gain_is_in_decibels_and_what_would_clip_is_scaled_down_as_a_whole() -> None:
    softer = augment(tone(300), Recipe(gain_db=-6.0))
    assert rms(softer.samples) / rms(tone(300)) == pytest.approx(10 ** (-6 / 20), rel=1e-3) and not softer.scaled_db
    loud = augment(tone(300, peak=30_000), Recipe(gain_db=6.0))
    assert loud.scaled_db == pytest.approx(-5.23, abs=0.01) and np.abs(loud.samples.astype(int)).max() == 32_767
    assert np.abs(loud.samples - tone(300, peak=32_767).astype(int)).max() <= 2, "the shape of the wave stays"
    assert augment(np.full(10, -32_768, np.int16), Recipe()).samples.min() == -32_768


def test_there_is_no_ratio_to_silence() -> None:
    silence = np.zeros(RATE, np.int16)
    for sound, noise in ((silence, tone(100)), (tone(100), silence)):
        with pytest.raises(MediaError) as refused:
            augment(sound, Recipe(snr_db=10.0), noise)
        assert refused.value.reason == "silent"


def test_made_noise_has_its_color_and_is_the_same_everywhere() -> None:
    def power(samples: np.ndarray, low: int, high: int) -> float:
        spectrum = np.abs(np.fft.rfft(samples.astype(float))) ** 2
        seconds = len(samples) / RATE
        return float(10 * np.log10(spectrum[round(low * seconds) : round(high * seconds)].mean()))

    white, pink = white_noise(4 * RATE, "seed"), pink_noise(4 * RATE, "seed")
    assert abs(power(white, 100, 200) - power(white, 3_200, 6_400)) < 1.5
    assert power(pink, 100, 200) - power(pink, 1_600, 3_200) == pytest.approx(12, abs=2)
    digests = [hashlib.sha256(each.tobytes()).hexdigest()[:16] for each in (white, pink)]
    assert digests == ["bb1d28aa305080b3", "3d6d1c0a9d84198a"]
    assert not np.array_equal(white, white_noise(4 * RATE, "other"))


def test_voices_of_babble_are_equally_loud() -> None:
    made = babble([tone(500, peak=100), tone(1_500, peak=20_000)], 2 * RATE)
    spectrum = np.abs(np.fft.rfft(made.astype(float)))
    assert spectrum[1_000] == pytest.approx(spectrum[3_000], rel=0.05) and len(made) == 2 * RATE
