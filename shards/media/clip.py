"""A clip out of a longer file: by stream copy where that is exact enough, else by encoding anew.

Sound is copied where the packets' own boundaries lie within 20 ms of the span and a packet can be decoded without the
ones before it; else it is decoded and kept without loss as FLAC. A picture is copied where a keyframe lies within one
frame of the start; else it is encoded as H.264. Picture and sound keep their distance in time.

What was cut is opened again and measured before it counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from .packets import Span, fits, inside, keyframe, moved, mux_by_time, picture_packets, pictures, seek, shift
from .probe import AV_OPTIONS, MediaError

END_SLACK = 0.5
"""Seconds that the span may reach beyond the end of what it is cut from."""
TOLERANCE = 0.25
"""Seconds that the length of a finished clip may differ from the span."""

_LONE_PACKETS = frozenset({"aac", "opus"})
_SOUND_FORMATS = {"aac": "mp4", "opus": "ogg", "flac": "flac", "mp3": "mp3", "vorbis": "ogg"}
_IN_MP4 = frozenset({"h264", "hevc", "mpeg4", "av1", "libdav1d", "vp9", "aac", "mp3", "opus", "ac3", "flac"})
_ENCODERS = (
    ("libx264", {"preset": "veryfast", "crf": "18", "threads": "1"}),
    ("libopenh264", {"threads": "1"}),
    ("mpeg4", {"qscale": "2", "threads": "1"}),
)


@dataclass(frozen=True, slots=True)
class Clip:
    """A finished clip: where it lies, how it was made (`copy`, `encoded`, `whole`), and its length in seconds."""

    path: Path
    how: str
    duration: float | None


def cut_clip(
    source: Path,
    target: Path,
    *,
    kind: str,
    start_s: float | None = None,
    end_s: float | None = None,
    sound_required: bool = False,
) -> Clip:
    """Write the span of `source` to `target`; a file that is wanted as it is stays where it lies (`whole`).

    Parameters:
        target: Has no extension; the store names files by what they hold.
        kind: `audio` takes the sound alone, also out of a video.
        start_s, end_s: Seconds; None is from the start, to the end.
        sound_required: A video must have sound.

    Raises:
        MediaError: `not_media`, `no_audio`, `no_video`, `too_short`, `bad_span`, or `cut_failed` where the result is
            not what was asked for.
    """
    import av

    try:
        with av.open(str(source), options=AV_OPTIONS, metadata_errors="replace") as container:
            _check_streams(container, kind, sound_required=sound_required)
            if start_s is None and end_s is None and (kind == "video" or not pictures(container)):
                return Clip(source, "whole", _length(container))
            span = _span_in(container, start_s, end_s)
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError("not_media", f"FFmpeg cannot read it ({_words(error)})") from error
    ways = (_copy_sound, _encode_sound) if kind == "audio" else (_copy_video, _encode_video)
    why = ""
    for way, how in zip(ways, ("copy", "encoded"), strict=True):
        try:
            if way(source, target, span):
                return Clip(target, how, _verified(target, kind, span, has_sound=sound_required))
        except (av.error.FFmpegError, ValueError) as error:
            why = f" ({_words(error)})"
        except MediaError as error:
            why = f" ({error.detail})"
        target.unlink(missing_ok=True)
    raise MediaError("cut_failed", f"{span.length:.3f} s at {start_s or 0:.3f} s could not be cut{why}")


def join_tracks(picture: Path, sound: Path, target: Path) -> None:
    """One file of a picture and a sound that lie in files of their own, by stream copy.

    Raises:
        MediaError: `not_media`.
    """
    import av

    try:
        with av.open(str(picture), options=AV_OPTIONS) as seen, av.open(str(sound), options=AV_OPTIONS) as heard:
            codecs = {seen.streams.video[0].codec_context.name, heard.streams.audio[0].codec_context.name}
            with av.open(str(target), "w", format="mp4" if codecs <= _IN_MP4 else "matroska") as out:
                mux_by_time(out, _packets(out, seen.streams.video[0]), _packets(out, heard.streams.audio[0]))
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        raise MediaError("not_media", f"picture and sound cannot be joined ({_words(error)})") from error


def _check_streams(container: Any, kind: str, *, sound_required: bool) -> None:
    if (kind == "audio" or sound_required) and not container.streams.audio:
        raise MediaError("no_audio", "it has no sound")
    if kind == "video" and not pictures(container):
        raise MediaError("no_video", "it has no picture")


def _length(container: Any) -> float | None:
    return float(container.duration) / 1_000_000 if container.duration is not None else None


def _span_in(container: Any, start_s: float | None, end_s: float | None) -> Span:
    start = start_s or 0.0
    if start < 0 or (end_s is not None and end_s <= start):
        raise MediaError("bad_span", f"{start} to {end_s} s is no span")
    length = _length(container)
    origin = max(0.0, (container.start_time or 0) / 1_000_000)
    if length is not None and (start >= length or (end_s is not None and end_s > length + END_SLACK)):
        raise MediaError("too_short", f"{start:g} to {end_s} s of {length:.3f} s")
    if end_s is None and length is None:
        raise MediaError("bad_span", "the file does not say how long it is: give the end of the span")
    end = min(end_s, length) if end_s is not None and length is not None else end_s if end_s is not None else length
    return Span(origin + start, origin + (end or 0.0))


def _copied_sound(container: Any, span: Span) -> list[Any] | None:
    """The packets of the span where they can stand alone and fit; a span's packets are small enough for memory."""
    stream = container.streams.audio[0]
    if stream.codec_context.name not in _LONE_PACKETS:
        return None
    seek(container, stream, span.start - 1.0)
    packets = list(inside(container.demux(stream), span))
    return packets if fits(packets, span) else None


def _copy_sound(source: Path, target: Path, span: Span) -> bool:
    import av

    with av.open(str(source), options=AV_OPTIONS) as container:
        packets = _copied_sound(container, span)
        if packets is None:
            return False
        stream = container.streams.audio[0]
        form = _SOUND_FORMATS.get(stream.codec_context.name, "wav")
        with av.open(str(target), "w", format=form) as out:
            copy = out.add_stream_from_template(stream)
            origin = packets[0].pts
            for packet in packets:
                shift(packet, origin)
                packet.stream = copy
                out.mux(packet)
    return True


def _encode_sound(source: Path, target: Path, span: Span) -> bool:
    import av
    import soundfile

    with av.open(str(source), options=AV_OPTIONS) as container:
        stream = container.streams.audio[0]
        rate, channels = stream.codec_context.sample_rate, stream.codec_context.channels
        deep = stream.codec_context.format is not None and stream.codec_context.format.name in ("s32", "s32p")
        seek(container, stream, span.start - 1.0)
        written = 0
        with soundfile.SoundFile(
            str(target), "w", rate, channels, format="FLAC", subtype="PCM_24" if deep else "PCM_16"
        ) as out:
            for block in _samples(container.decode(stream), span, rate, "s32" if deep else "s16", channels):
                out.write(block)
                written += len(block)
    return written > 0


def _samples(frames: Iterator[Any], span: Span, rate: int, form: str, channels: int) -> Iterator[Any]:
    """Interleaved samples of the span, exact to the sample, at the source's own rate."""
    import av

    resampler = av.AudioResampler(format=form)
    first, last = round(span.start * rate), round(span.end * rate)
    position: int | None = None
    for frame in frames:
        if position is None:
            position = round(float(frame.time or 0.0) * rate)
        for block in resampler.resample(frame):
            samples = block.to_ndarray().reshape(-1, channels)
            kept = samples[max(0, first - position) : max(0, last - position)]
            position += len(samples)
            if len(kept):
                yield kept
        if position >= last:
            return


def _copy_video(source: Path, target: Path, span: Span) -> bool:
    import av

    with av.open(str(source), options=AV_OPTIONS) as container, av.open(str(source), options=AV_OPTIONS) as heard:
        stream = pictures(container)[0]
        frame = float(1 / stream.average_rate) if stream.average_rate else 0.04
        first = keyframe(container, stream, span.start, frame)
        if first is None:
            return False
        base = Fraction(first.pts) * first.time_base
        codecs = {stream.codec_context.name, *(sound.codec_context.name for sound in heard.streams.audio[:1])}
        sounds = _sound_packets(heard, span) if heard.streams.audio else iter(())
        with av.open(str(target), "w", format="mp4" if codecs <= _IN_MP4 else "matroska") as out:
            shown = picture_packets(container, stream, first, span.end - frame / 2)
            copies = [moved(out, stream, shown, base)]
            if heard.streams.audio:
                copies.append(moved(out, heard.streams.audio[0], sounds, base))
            mux_by_time(out, *copies)
    return True


def _sound_packets(container: Any, span: Span) -> Iterator[Any]:
    stream = container.streams.audio[0]
    seek(container, stream, span.start - 1.0)
    return inside(container.demux(stream), span)


def _packets(out: Any, stream: Any) -> Iterator[Any]:
    return moved(out, stream, stream.container.demux(stream), Fraction(0))


def _encode_video(source: Path, target: Path, span: Span) -> bool:
    import av

    with av.open(str(source), options=AV_OPTIONS) as container, av.open(str(source), options=AV_OPTIONS) as heard:
        stream = pictures(container)[0]
        with av.open(str(target), "w", format="mp4") as out:
            tracks = [_drawn(out, container, stream, span)]
            if heard.streams.audio:
                sound = heard.streams.audio[0]
                packets = _copied_sound(heard, span) if sound.codec_context.name == "aac" else None
                if packets is not None:
                    tracks.append(moved(out, sound, iter(packets), Fraction(span.start)))
                else:
                    tracks.append(_spoken(out, source, sound, span))
            mux_by_time(out, *tracks)
    return True


def _drawn(out: Any, container: Any, stream: Any, span: Span) -> Iterator[Any]:
    """Pictures of the span, encoded; each keeps its own time, so a changing frame rate stays as it is."""
    import av

    codec, options = next((each for each in _ENCODERS if each[0] in av.codecs_available), (None, {}))
    if codec is None:
        raise MediaError("cut_failed", "this PyAV carries no H.264 or MPEG-4 encoder")
    rate = stream.average_rate or Fraction(25)
    made = out.add_stream(codec, rate=rate, options=dict(options))
    made.width, made.height = stream.codec_context.width // 2 * 2, stream.codec_context.height // 2 * 2
    made.pix_fmt = "yuv420p"
    made.codec_context.time_base = stream.time_base
    half = float(1 / rate) / 2

    def drawn() -> Iterator[Any]:
        seek(container, stream, span.start)
        last = -1
        for frame in container.decode(stream):
            if frame.pts is None or frame.time < span.start - half:
                continue
            if frame.time >= span.end - half:
                break
            at = round((Fraction(frame.pts) * frame.time_base - Fraction(span.start)) / stream.time_base)
            last = at = max(at, last + 1)  # old AVI files give two frames one time
            picture = frame.reformat(made.width, made.height, "yuv420p")
            picture.pts, picture.time_base, picture.pict_type = at, stream.time_base, 0
            yield from made.encode(picture)
        yield from made.encode(None)

    return drawn()


def _spoken(out: Any, source: Path, stream: Any, span: Span) -> Iterator[Any]:
    import av

    rate, layout = stream.codec_context.sample_rate, stream.codec_context.layout.name
    channels = stream.codec_context.channels
    made = out.add_stream("aac", rate=rate, layout=layout, options={"b": str(96_000 * channels), "threads": "1"})

    def sounds() -> Iterator[Any]:
        position = 0
        with av.open(str(source), options=AV_OPTIONS) as container:
            heard = container.streams.audio[0]
            seek(container, heard, span.start - 1.0)
            for block in _samples(container.decode(heard), span, rate, "s16", channels):
                frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="s16", layout=layout)
                frame.sample_rate, frame.pts, frame.time_base = rate, position, Fraction(1, rate)
                position += len(block)
                yield from made.encode(frame)
        yield from made.encode(None)

    return sounds()


def _verified(target: Path, kind: str, span: Span, *, has_sound: bool) -> float:
    """The length of what was cut, opened again.

    Raises:
        MediaError: It is not what was wanted.
    """
    import av

    with av.open(str(target), options=AV_OPTIONS) as container:
        _check_streams(container, kind, sound_required=has_sound)
        length = _length(container)
    if length is None or abs(length - span.length) > TOLERANCE:
        raise MediaError("cut_failed", f"{length} s came out where {span.length:.3f} s were wanted")
    return length


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
