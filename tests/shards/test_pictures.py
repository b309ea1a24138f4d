"""A video is what is shown: turned as it is shown, without its cover, under its codec's name, with sound or mute."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import triptych
from support.recordings import RATE, write_sound
from support.stores import select
from triptych.shards.media.media import MediaError
from triptych.shards.media.probe import Probe, probe
from triptych.validators.checks import measure


def film(
    place: Any,
    form: str,
    codec: str,
    *,
    pictures: int = 10,
    sound: str | None = "aac",
    rotation: int = 0,
    pixels: str = "yuv420p",
) -> Any:
    with av.open(str(place) if isinstance(place, Path) else place, "w", format=form) as out:
        audio = out.add_stream(sound, rate=RATE, layout="mono") if sound else None
        if pictures:
            video: Any = out.add_stream(codec, rate=10)
            video.width, video.height, video.pix_fmt = 96, 64, pixels
            if rotation:
                video.set_display_rotation(rotation)
            for number in range(pictures):
                frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), number * 9, np.uint8), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 10)
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
        if audio is not None:
            write_sound(out, audio, 1)
    return place


def both(path: Path) -> list[Probe]:
    return [probe(path), probe(path.read_bytes())]


@pytest.mark.parametrize("form", ["mp4", "matroska"])
@pytest.mark.parametrize(("rotation", "size"), [(0, (96, 64)), (90, (64, 96)), (180, (96, 64)), (270, (64, 96))])
def test_width_and_height_are_those_that_are_shown(
    tmp_path: Path, form: str, rotation: int, size: tuple[int, int]
) -> None:
    path = film(tmp_path / "a", form, "libx264", rotation=rotation)
    for found in both(path):
        assert (found.fields["width"], found.fields["height"]) == size
    checked = measure({"video": {"path": str(path)}}, root=tmp_path)
    assert (checked["video_width"], checked["video_height"]) == size


@pytest.mark.parametrize(("form", "codec"), [("mp4", "mjpeg"), ("matroska", "mjpeg"), ("mov", "png"), ("avi", "mjpeg")])
def test_a_single_picture_beside_sound_is_a_cover(tmp_path: Path, form: str, codec: str) -> None:
    pixels, sound = ("rgb24" if codec == "png" else "yuvj420p"), ("libmp3lame" if form == "avi" else "aac")
    song = film(tmp_path / "song", form, codec, pictures=1, pixels=pixels, sound=sound)
    moving = film(tmp_path / "moving", form, codec, pixels=pixels, sound=sound)
    alone = film(tmp_path / "alone", form, codec, pictures=1, pixels=pixels, sound=None)
    for path, kind in ((song, "audio"), (moving, "video"), (alone, "video")):
        assert [found.kind for found in both(path)] == [kind, kind], path
    assert measure({"video": {"path": str(song)}}, root=tmp_path)["video_error"].endswith("no video stream")
    with pytest.raises(MediaError, match="expected video"):
        probe(song, kind="video")


@pytest.mark.parametrize(
    ("form", "codec", "sound", "names"),
    [
        ("webm", "libvpx-vp9", "libopus", ("vp9", "opus")),
        ("webm", "libsvtav1", "libopus", ("av1", "opus")),
        ("mp4", "libx264", "libmp3lame", ("h264", "mp3")),
        ("matroska", "mpeg4", "ac3", ("mpeg4", "ac3")),
    ],
)
def test_a_codec_is_called_by_its_own_name(
    tmp_path: Path, form: str, codec: str, sound: str, names: tuple[str, str]
) -> None:
    path = film(tmp_path / "a", form, codec, sound=sound)
    heard = film(tmp_path / "b", form, codec, pictures=0, sound=sound)
    checked = measure({"video": {"path": str(path)}}, root=tmp_path)
    assert (probe(path).fields["codec"], probe(heard).fields["codec"]) == names
    assert (checked["video_codec"], checked["audio_codec"]) == names


def test_a_folder_of_videos_says_of_each_whether_it_is_heard(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    film(tmp_path / "in/heard.mp4", "mp4", "mpeg4")
    film(tmp_path / "in/mute.mp4", "mp4", "mpeg4", sound=None)
    film(tmp_path / "in/song.m4a", "mp4", "mjpeg", pictures=1, pixels="yuvj420p")
    film(tmp_path / "in/talk.mp4", "mp4", "mpeg4", pictures=0)
    triptych.import_data("folder", tmp_path / "in", name="own", store=tmp_path / "store")
    triptych.import_data("folder", tmp_path / "in", name="s3", store=tmp_path / "store", values={"modality": "mixed"})
    found = select(tmp_path / "store", "select id, modality, panel from samples order by id")
    assert [(row["id"].rpartition("/")[2], row["modality"], row["panel"]) for row in found] == [
        ("heard", "mixed", "S3"),
        ("mute", "video", "S2"),
        ("song", "audio", "S1"),
        ("talk", "audio", "S1"),
        ("heard", "mixed", "S3"),
        ("mute", "mixed", "S3"),
        ("song", "audio", "S1"),
        ("talk", "audio", "S1"),
    ]


def test_a_video_column_asks_for_the_picture(tmp_path: Path) -> None:
    film(tmp_path / "a.mp4", "mp4", "mpeg4")
    (tmp_path / "t.csv").write_text("id,video,text\na,a.mp4,a grey picture\n")
    triptych.import_data("csv", tmp_path / "t.csv", name="own", store=tmp_path / "store")
    assert select(tmp_path / "store", "select modality, panel from samples") == [{"modality": "video", "panel": "S2"}]


def test_a_converted_folder_tells_sound_in_a_container_of_videos(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    film(tmp_path / "in/moving.mp4", "mp4", "mpeg4")
    film(tmp_path / "in/song.mp4", "mp4", "mjpeg", pictures=1, pixels="yuvj420p")
    film(tmp_path / "in/talk.webm", "webm", "", pictures=0, sound="libopus")
    triptych.convert("folder", tmp_path / "in", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {row["id"]: row["modality"] for row in rows} == {"moving": "video", "song": "audio", "talk": "audio"}
