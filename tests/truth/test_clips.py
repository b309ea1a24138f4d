"""A clip cut out of a longer file, as a pull of remote media cuts it: the right frames, the right sound, in step."""

from __future__ import annotations

from pathlib import Path

import pytest
from triptych.shards.media.clip import cut_clip, join_tracks
from truth import chirps, films
from truth.forms import FORMS, delay_s, sounds, written
from truth.forms import films as film_forms
from truth.utterances import TIME_S

SPANS = ((0.5, 1.5), (1.25, 2.25))
FRAME_S = 1 / films.FPS
PACKET_S = 0.07
"""One packet of AAC at 16 kHz."""
COPY_S = 0.025
"""A sound that is copied begins at a packet, at most 20 ms from the span."""


@pytest.mark.parametrize("name", sounds())
def test_a_clip_of_a_sound_is_its_span(name: str, tmp_path: Path) -> None:
    source = written(tmp_path, name, 5)
    for number, (start_s, end_s) in enumerate(SPANS):
        clip = cut_clip(source, tmp_path / f"clip{number}", kind="audio", start_s=start_s, end_s=end_s)
        sound = chirps.decode(clip.path)
        heard = chirps.hear(sound[:, 0], [chirps.Voice(5)])
        slack = COPY_S + PACKET_S if clip.how == "copy" else TIME_S
        assert heard.correlation >= chirps.FULL, heard
        assert heard.start_s == pytest.approx(start_s - delay_s(name, 5), abs=slack), (clip.how, str(heard))
        assert len(sound) / chirps.RATE == pytest.approx(end_s - start_s, abs=2 * slack), clip.how


@pytest.mark.parametrize("name", film_forms())
def test_a_clip_of_a_film_has_the_frames_and_the_sound_of_its_span(name: str, tmp_path: Path) -> None:
    source = written(tmp_path, name, 5)
    for number, (start_s, end_s) in enumerate(SPANS):
        clip = cut_clip(source, tmp_path / f"clip{number}", kind="video", start_s=start_s, end_s=end_s)
        seen = films.watch(clip.path)
        first = round(start_s * films.FPS)
        assert seen.clip == 5
        assert seen.numbers == list(range(seen.numbers[0], seen.numbers[0] + len(seen.numbers))), clip.how
        assert abs(seen.numbers[0] - first) <= 1 and abs(len(seen.numbers) - round((end_s - start_s) * films.FPS)) <= 1
        assert _apart(clip.path, seen) == pytest.approx(_apart(source, films.watch(source)), abs=FRAME_S), clip.how


@pytest.mark.parametrize("name", film_forms())
def test_a_picture_and_a_sound_that_are_joined_lose_nothing(name: str, tmp_path: Path) -> None:
    picture, sound = written(tmp_path, name, 5, stem="picture"), written(tmp_path, "m4a", 6)
    join_tracks(picture, sound, tmp_path / "joined")
    assert films.watch(tmp_path / "joined").numbers == films.watch(picture).numbers
    heard = chirps.hear(chirps.decode(tmp_path / "joined")[:, 0], [chirps.Voice(6)])
    # Matroska, which takes MPEG-2, does not carry the edit list of MP4 that skips the encoder's silence.
    slack = PACKET_S if FORMS[name].unmarked else TIME_S
    assert heard.correlation >= chirps.FULL and abs(heard.start_s) <= slack, heard


def _apart(path: Path, seen: films.Seen) -> float:
    """Seconds by which the sound of a film is behind its frames."""
    import av

    with av.open(str(path)) as container:
        begin_s = next(iter(container.decode(audio=0))).time
    heard = chirps.hear(chirps.decode(path)[:, 0], [chirps.Voice(5)])
    assert heard.correlation >= chirps.FULL, heard
    return (begin_s - heard.start_s) - (seen.times[0] - seen.numbers[0] / films.FPS)
