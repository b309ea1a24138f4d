"""A length is what the file says or what it decodes to, never an estimate; odd headers are told apart from damage."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from support.recordings import RATE, chirp, coded, write_sound
from triptych.shards.media.ogg import ogg_pages
from triptych.shards.media.probe import MediaError, probe
from triptych.validators.checks import measure


def check(path: Path, kind: str = "audio") -> dict[str, Any]:
    return measure({"id": "x", "dataset": "d", kind: {"path": str(path)}}, root=Path("/"))


def written(path: Path, samples: np.ndarray, **form: str) -> bytearray:
    soundfile.write(path, samples, RATE, **form)
    return bytearray(path.read_bytes())


def stored(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


class Pipe(io.RawIOBase):
    """A file that cannot be sought in, as a pipe or a browser's recorder."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += bytes(data)
        return len(data)


# --- the length is not declared


def test_a_flac_without_a_length_is_whole(tmp_path: Path) -> None:
    data = written(tmp_path / "a.flac", chirp(2))
    data[21] &= 0xF0
    data[22:42] = bytes(20)  # no number of samples, and no MD5
    path = stored(tmp_path / "piped.flac", data)
    assert (probe(path).fields["frames"], probe(bytes(data)).fields["duration"]) == (None, None)
    found = check(path)
    assert (found["audio_error"], found["audio_declared_duration"]) == (None, None)
    assert found["audio_decoded_frames"] == 2 * RATE


@pytest.mark.parametrize(("form", "codec", "options"), [("ac3", "ac3", {}), ("webm", "libopus", {"live": "1"})])
def test_an_estimate_is_not_passed_on(tmp_path: Path, form: str, codec: str, options: dict[str, str]) -> None:
    pipe = Pipe()
    coded(pipe, form, codec, seconds=3, **options)
    for source in (pipe.data, stored(tmp_path / "a", pipe.data)):
        assert (probe(source).fields["frames"], probe(source).fields["duration"]) == (None, None)
    found = check(tmp_path / "a")
    assert (found["audio_error"], found["audio_declared_duration"]) == (None, None)
    assert found["audio_decoded_duration"] == pytest.approx(3, abs=0.05)


@pytest.mark.parametrize(("form", "codec"), [("adts", "aac"), ("mp3", "libmp3lame"), ("mp2", "mp2")])
def test_frames_are_counted_where_no_header_counts_them(tmp_path: Path, form: str, codec: str) -> None:
    pipe = Pipe()
    coded(pipe, form, codec, seconds=3, **({"write_xing": "0"} if form == "mp3" else {}))
    tagged = b"ID3\x03\0\0\0\0\x0f\x68" + bytes(2024) + pipe.data + b"TAG" + bytes(125)
    for source in (pipe.data, stored(tmp_path / "a", pipe.data), tagged):
        assert probe(source).fields["duration"] == pytest.approx(check(tmp_path / "a")["audio_decoded_duration"])
    for torn in (pipe.data[:-7], pipe.data[:6000] + b"noise" + pipe.data[6000:]):
        assert probe(torn).fields["duration"] is None


def test_mp3_declares_its_length_in_a_xing_header(tmp_path: Path) -> None:
    path = coded(tmp_path / "a", "mp3", "libmp3lame", seconds=3)
    tagged = b"ID3\x03\0\0\0\0\x0f\x68" + bytes(2024) + path.read_bytes()
    for source in (path, tagged):
        assert probe(source).fields["duration"] == pytest.approx(3, abs=0.001)


def test_a_wav_whose_recorder_died(tmp_path: Path) -> None:
    data = written(tmp_path / "a.wav", chirp(2), subtype="PCM_16")
    place = data.index(b"data") + 4
    struct.pack_into("<I", data, place, 0)
    struct.pack_into("<I", data, 4, 36)
    path = stored(tmp_path / "died.wav", data)
    assert (probe(path).fields["frames"], probe(bytes(data)).fields["duration"]) == (None, None)
    found = check(path)
    assert (found["audio_error"], found["audio_declared_duration"]) == (None, None)
    assert (found["audio_decoded_frames"], found["audio_soundfile_s"]) == (2 * RATE, 0.0)
    with pytest.raises(MediaError, match="no samples"):
        probe(bytes(data[: place + 4]))


# --- the length that is declared is not all there is


def test_a_wav_that_is_longer_than_its_header(tmp_path: Path) -> None:
    data = written(tmp_path / "a.wav", chirp(3), subtype="PCM_16")
    assert check(tmp_path / "a.wav")["audio_undeclared_s"] is None
    struct.pack_into("<I", data, data.index(b"data") + 4, RATE * 2)
    found = check(stored(tmp_path / "short.wav", data))
    assert (found["audio_declared_duration"], found["audio_undeclared_s"]) == (1.0, 2.0)


def test_a_flac_or_au_that_is_longer_than_its_header(tmp_path: Path) -> None:
    flac = written(tmp_path / "a.flac", np.random.default_rng(0).normal(0, 0.1, 3 * RATE))
    assert check(tmp_path / "a.flac")["audio_undeclared_s"] is None
    struct.pack_into(">I", flac, 22, RATE)
    flac[26:42] = bytes(16)
    au = written(tmp_path / "a.au", chirp(3), subtype="PCM_16")
    struct.pack_into(">I", au, 8, RATE * 2)
    for data in (flac, au):
        found = check(stored(tmp_path / "short", data))
        assert (found["audio_declared_duration"], found["audio_undeclared_s"]) == (1.0, pytest.approx(2, abs=0.01))


def test_joined_wav_files_are_not_one_file(tmp_path: Path) -> None:
    data = written(tmp_path / "a.wav", chirp(2), subtype="PCM_16")
    assert check(stored(tmp_path / "joined.wav", data + data))["audio_undeclared_s"] == pytest.approx(2, abs=0.01)


def test_a_long_tag_behind_the_sound_is_no_sound(tmp_path: Path) -> None:
    data = written(tmp_path / "a.flac", chirp(1)) + b"APETAGEX" + bytes(100_000)
    assert check(stored(tmp_path / "tagged.flac", data))["audio_undeclared_s"] is None


def test_chunks_behind_the_sound_are_no_sound(tmp_path: Path) -> None:
    data = written(tmp_path / "a.wav", chirp(1), subtype="PCM_16")
    chunk = b"LIST" + struct.pack("<I", 30_001) + bytes(30_002) + b"bext" + struct.pack("<I", 20_000) + bytes(20_000)
    found = check(stored(tmp_path / "list.wav", data + chunk))
    assert (found["audio_undeclared_s"], found["audio_decoded_frames"], found["audio_error"]) == (None, RATE, None)


@pytest.mark.parametrize("subtype", ["OPUS", "VORBIS"])
def test_joined_ogg_files_are_as_long_as_both(tmp_path: Path, subtype: str) -> None:
    first = written(tmp_path / "a.ogg", chirp(2), format="OGG", subtype=subtype)
    second = written(tmp_path / "b.ogg", chirp(3), format="OGG", subtype=subtype)
    path = stored(tmp_path / "joined.ogg", first + second)
    assert probe(path).fields["duration"] == pytest.approx(5, abs=0.001)
    assert probe(tmp_path / "b.ogg").fields["frames"] == 3 * RATE
    found = check(path)
    assert found["audio_decoded_duration"] == pytest.approx(5, abs=0.05)
    assert (found["audio_error"], found["audio_soundfile_s"]) == (None, 2.0)
    assert check(tmp_path / "b.ogg")["audio_soundfile_s"] is None


# --- the end is missing


def test_an_mp3_that_lacks_bytes_is_told_from_one_with_a_wrong_header(tmp_path: Path) -> None:
    data = written(tmp_path / "a.mp3", chirp(3)[::2], format="MP3")
    place = data.find(b"Info") if b"Info" in data else data.find(b"Xing")
    wrong = data.copy()
    wrong[place + 8 : place + 12] = struct.pack(">I", 2 * struct.unpack_from(">I", data, place + 8)[0])
    tagged = data + b"TAG" + bytes(125)
    for name, changed in (("whole", data), ("wrong", wrong), ("tagged", tagged)):
        found = check(stored(tmp_path / f"{name}.mp3", changed))
        assert (found["audio_cut_short"], found["audio_decoded_duration"]) == (None, pytest.approx(1.5, abs=0.05))
    found = check(stored(tmp_path / "cut.mp3", data[: len(data) // 2]))
    assert found["audio_cut_short"] and found["audio_declared_duration"] == pytest.approx(1.5, abs=0.01)


def page_starts(data: bytes) -> list[int]:
    return [place for place in range(len(data)) if data[place : place + 5] == b"OggS\0"]


def test_an_ogg_file_without_its_end(tmp_path: Path) -> None:
    data = written(tmp_path / "a.ogg", chirp(6), format="OGG", subtype="OPUS")
    *_, before, last = page_starts(data)
    without_mark = stored(tmp_path / "mark.ogg", with_checksum(data, last, flags=data[last + 5] & ~4))
    for path, seconds in ((without_mark, 6), (stored(tmp_path / "cut.ogg", data[:last]), None)):
        length = probe(path).fields["duration"]
        assert 2 < length <= 6 and (seconds is None or length == pytest.approx(seconds))
        found = check(path)
        assert (found["audio_error"], found["audio_cut_short"]) == (None, None)
        assert found["audio_decoded_duration"] == pytest.approx(length, abs=0.03)
    found = check(stored(tmp_path / "torn.ogg", data[: (before + last) // 2]))
    assert (found["audio_error"], found["audio_cut_short"]) == (None, True)


def with_checksum(data: bytes, page: int, *, flags: int) -> bytes:
    """The file with the flags of its last page changed."""
    changed = bytearray(data[page:])
    changed[5], changed[22:26] = flags, bytes(4)
    crc = 0
    for byte in changed:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    struct.pack_into("<I", changed, 22, crc)
    return bytes(data[:page]) + bytes(changed)


def test_granules_that_cannot_be_are_no_length(tmp_path: Path) -> None:
    data = written(tmp_path / "a.ogg", chirp(2), format="OGG", subtype="OPUS")
    struct.pack_into("<q", data, page_starts(data)[-1] + 6, 2**62)
    pages = ogg_pages(bytes(data))
    assert pages is not None and pages.seconds is None


def test_damage_is_not_forgiven_by_the_second_decoder(tmp_path: Path) -> None:
    data = written(tmp_path / "a.flac", np.random.default_rng(0).normal(0, 0.1, 3 * RATE))
    middle = len(data) // 2
    for length in (b"", bytes(20)):  # with the number of samples and the MD5 in the header, and without them
        data[22 : 22 + len(length)] = length
        for damaged in (data[:middle] + b"x" + data[middle + 1 :], data[:middle] + data[middle + 5000 :]):
            assert check(stored(tmp_path / "mutated.flac", damaged))["audio_error"]


# --- tracks of different length


def film(path: Path, form: str, times: list[float], *, seconds: float | None, codec: str = "libopus") -> Path:
    with av.open(str(path), "w", format=form) as out:
        video: Any = out.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        sound = out.add_stream(codec, rate=RATE, layout="mono") if seconds else None
        for time in times:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), int(time * 9) % 255, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound is not None and seconds:
            write_sound(out, sound, seconds)
    return path


@pytest.mark.parametrize(("form", "codec"), [("matroska", "libopus"), ("mp4", "aac")])
def test_a_picture_shorter_than_its_sound_is_no_damage(tmp_path: Path, form: str, codec: str) -> None:
    path = film(tmp_path / "a", form, [n / 10 for n in range(20)], seconds=5, codec=codec)
    assert probe(path).fields["duration"] == pytest.approx(2, abs=0.01)
    found = check(path, "video")
    assert found["video_declared_duration"] == pytest.approx(2, abs=0.01)
    assert found["video_decoded_duration"] == pytest.approx(2, abs=0.01)
    assert found["audio_decoded_duration"] == pytest.approx(5, abs=0.05)


def test_a_slide_that_is_shown_for_long(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", "mp4", [0, 0.5, 1, 5], seconds=None)
    found = check(path, "video")
    assert found["video_decoded_duration"] == pytest.approx(found["video_declared_duration"], abs=0.01)
    assert found["video_decoded_duration"] == pytest.approx(5, abs=0.2)
