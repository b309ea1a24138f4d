"""The ear of the harness: what it calls right is right, and each kind of wrong is told by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from truth import chirps
from truth.chirps import RATE, Voice, samples
from truth.films import watch
from truth.forms import FORMS, delay_s, films, written
from truth.rows import Shown, compare
from truth.utterances import Media, Utterance, faults

CUT = Utterance("cut", 3, 0.5, 1.5)
MONO, STEREO = Media("wav"), Media("wav", 2)


def said(folder: Path, sound: np.ndarray, utterance: Utterance = CUT, media: Media = MONO) -> str:
    """What is said of a sound that a row with this utterance names."""
    path = folder / f"{abs(hash(sound.tobytes()))}.wav"
    soundfile.write(path, sound, RATE, subtype="PCM_16")
    return "; ".join(faults(utterance, media, audio=path))


def piece(start_s: float = 0.5, end_s: float = 1.5, *, clip: int = 3, channel: int = 0) -> np.ndarray:
    return samples(Voice(clip, channel))[round(start_s * RATE) : round(end_s * RATE)]


def test_the_right_piece_has_no_fault(tmp_path: Path) -> None:
    assert said(tmp_path, piece()) == ""
    one = Utterance("cut", 3, 0.5, 1.5, channel=1)
    assert said(tmp_path, piece(channel=1), one, STEREO) == ""
    assert said(tmp_path, np.stack([piece(), piece(channel=1)], axis=1), media=STEREO) == ""


def test_a_shift_of_two_milliseconds_is_told_in_milliseconds(tmp_path: Path) -> None:
    assert "+2.0 ms" in said(tmp_path, piece(0.502, 1.502))
    assert "-25.0 ms" in said(tmp_path, piece(0.475, 1.475))


def test_a_cut_that_is_too_short_or_too_long_is_told(tmp_path: Path) -> None:
    assert said(tmp_path, piece(0.5, 1.48)) == "0.9800 s long instead of 1.0000 s"
    assert said(tmp_path, piece(0.5, 3.0)) == "2.5000 s long instead of 1.0000 s"


def test_another_clip_another_channel_and_a_mix_are_told(tmp_path: Path) -> None:
    one = Utterance("cut", 3, 0.5, 1.5, channel=1)
    mix = np.rint((piece().astype(float) + piece(channel=1)) / 2).astype(np.int16)
    assert "holds clip 4 channel 0 from 0.5000 s" in said(tmp_path, piece(clip=4))
    assert "holds clip 3 channel 0 from 0.5000 s" in said(tmp_path, piece(), one, STEREO)
    assert "(correlation 0.7" in said(tmp_path, mix, one, STEREO)
    assert said(tmp_path, mix, media=STEREO) == ""
    assert "and clip 3 channel 1" in said(tmp_path, np.stack([piece(), piece(channel=1)], axis=1), one, STEREO)


def test_silence_and_no_media_are_told(tmp_path: Path) -> None:
    assert "holds no clip" in said(tmp_path, np.zeros(RATE, np.int16))
    assert list(faults(CUT, MONO, audio=None)) == ["the row has no media"]


def test_a_text_beside_another_sound_and_a_missing_row_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, piece(), RATE, subtype="PCM_16")
    rows = [{"text": CUT.text}, {"text": "else"}]
    other = Utterance("other", 4)
    found = list(compare(rows, (CUT, other), MONO, show=lambda row: Shown(row["text"], path, None)))
    assert found == ["a row with the text 'else', which no utterance has, or one before it had", "other: no row"]


@pytest.mark.parametrize("name", films())
def test_the_frames_of_a_film_can_be_read_and_a_lost_one_is_told(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, name, 5, stem=name)
    assert watch(path).numbers == list(range(60)) and watch(path).clip == 5
    utterance = Utterance("film", 5)
    assert list(faults(utterance, Media(name), audio=path, video=path)) == []
    assert "shows clip 5 instead of 6" in "; ".join(faults(Utterance("film", 6), Media(name), audio=None, video=path))


def test_only_forms_that_cannot_say_it_have_a_delay() -> None:
    late = {name for name in FORMS if delay_s(name, 1) > 0.001}
    assert late == {name for name, form in FORMS.items() if form.unmarked}


def test_no_two_voices_sound_alike() -> None:
    voices = [Voice(clip, channel) for clip in range(chirps.CLIPS) for channel in range(4)]
    for voice in voices[::9]:
        others = [each for each in voices if each != voice]
        assert chirps.hear(samples(voice)[8000:24_000], others).correlation < 0.3
