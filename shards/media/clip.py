"""Cut a clip out of a longer file: by stream copy where that is accurate enough, otherwise by re-encoding.

Audio is copied if packet boundaries are within 20 ms of the span and packets can be decoded without the ones before
them; otherwise it is decoded and stored losslessly as FLAC. Video is copied if a keyframe is within one frame of the
start; otherwise it is encoded as H.264. Video and audio stay in sync.

Every clip is reopened and measured before it is returned.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from .length import container_seconds, declared_seconds
from .packets import Span, fits, inside, keyframe, mux_by_time, picture_packets, retimed, seek, seek_picture, shift
from .sound import first_sound, is_chained, is_walked, resampled, sound_from
from .streams import MediaError, audio_streams, codec_name, open_media, video_streams

END_SLACK = 0.5
"""Seconds by which the span may extend beyond the end of the source: sites re-encode videos, and their ends differ."""
TOLERANCE = {"audio": 0.1, "video": 0.25}
"""Seconds by which the length of a finished clip may differ from the span, by its kind."""
_ROUNDING = 1e-6

_INDEPENDENT_PACKETS = frozenset({"aac", "opus"})
_SOUND_FORMATS = {"aac": "mp4", "opus": "ogg", "flac": "flac", "mp3": "mp3", "vorbis": "ogg"}
_IN_MP4 = frozenset({"h264", "hevc", "mpeg4", "av1", "vp9", "aac", "mp3", "opus", "ac3", "flac"})
_ENCODERS = (
    ("libx264", {"preset": "veryfast", "crf": "18", "threads": "1"}),
    ("libopenh264", {"threads": "1"}),
    ("mpeg4", {"qscale": "2", "threads": "1"}),
)


@dataclass(frozen=True, slots=True)
class Clip:
    """A finished clip: its path, how it was made (`copy`, `encoded`, `whole`), and its length in seconds."""

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
    exact: bool = False,
) -> Clip:
    """Write the span of `source` to `target`; a file that needs no cut stays in place (`whole`).

    Args:
        target: Has no extension; the store names files by their content.
        kind: `audio` takes the audio alone, also from a video.
        start_s, end_s: Seconds from the first sound, for a video from its start; None for the start or the end.
        sound_required: A video must have an audio stream.
        exact: Encode in any case, so that not even one frame more is in it than the span has.

    Raises:
        MediaError: `not_media`, `no_audio`, `no_video`, `too_short`, `bad_span`, or `cut_failed` if the result is
            not as requested.
    """
    import av

    try:
        with open_media(source) as container:
            _check_streams(container, kind, sound_required=sound_required)
            if start_s is None and end_s is None and (kind == "video" or not video_streams(container)):
                return Clip(source, "whole", _length(container, kind))
            span = _span_in(container, kind, start_s, end_s)
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError("not_media", f"FFmpeg cannot read it ({_message(error)})") from error
    methods = (_copy_sound, _encode_sound) if kind == "audio" else (_copy_video, _encode_video)
    failure = MediaError("cut_failed", "")
    for method, how in list(zip(methods, ("copy", "encoded"), strict=True))[exact:]:
        try:
            if method(source, target, span):
                return Clip(target, how, _verify(target, kind, span, has_sound=sound_required))
        except (av.error.FFmpegError, ValueError) as error:
            failure = MediaError("cut_failed", _message(error))
        except MediaError as error:
            failure = error
        target.unlink(missing_ok=True)
    detail = f"{start_s or 0:g} to {end_s} s could not be cut ({failure.detail})"
    raise MediaError(failure.reason, detail)


def join_tracks(picture: Path, sound: Path, target: Path) -> None:
    """Join the video of one file and the audio of another into one file, by stream copy.

    Raises:
        MediaError: `not_media`.
    """
    import av

    try:
        with open_media(picture) as video, open_media(sound) as audio:
            codecs = {codec_name(video.streams.video[0]), codec_name(audio.streams.audio[0])}
            with av.open(str(target), "w", format="mp4" if codecs <= _IN_MP4 else "matroska") as out:
                mux_by_time(out, _packets(out, video.streams.video[0]), _packets(out, audio.streams.audio[0]))
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        raise MediaError("not_media", f"video and audio cannot be joined ({_message(error)})") from error


def _check_streams(container: Any, kind: str, *, sound_required: bool) -> None:
    if (kind == "audio" or sound_required) and not container.streams.audio:
        raise MediaError("no_audio", "it has no audio stream")
    if kind == "video" and not video_streams(container):
        raise MediaError("no_video", "it has no video stream")


def _length(container: Any, kind: str) -> float | None:
    """The declared length of what a clip is taken from; None if unknown."""
    if kind == "audio":
        return declared_seconds(container, container.streams.audio[0])
    return container_seconds(container)


def _origin(container: Any) -> float:
    return max(0.0, (container.start_time or 0) / 1_000_000)


def _span_in(container: Any, kind: str, start_s: float | None, end_s: float | None) -> Span:
    start = start_s or 0.0
    if start < 0 or (end_s is not None and end_s <= start):
        raise MediaError("bad_span", f"{start} to {end_s} s is not a valid span")
    length = _length(container, kind)
    if length is not None and (start >= length or (end_s is not None and end_s > length + END_SLACK)):
        raise MediaError("too_short", f"{start:g} to {end_s} s of {length:.3f} s")
    ends = [each for each in (end_s, length) if each is not None]
    origin = _origin(container)
    sounds = audio_streams(container)
    begins = first_sound(container, sounds[0]) if sounds else None
    begins = origin if begins is None else begins
    if kind == "audio":
        origin = begins
    return Span(origin + start, origin + min(ends, default=math.inf), begins)


def _copied_sound(container: Any, span: Span) -> list[Any] | None:
    """Return the packets of the span if they can be decoded alone and fit it; a span's packets fit in memory."""
    stream = container.streams.audio[0]
    if codec_name(stream) not in _INDEPENDENT_PACKETS or is_chained(container):
        return None
    if not is_walked(container, stream):
        seek(container, stream, span.start - 1.0)
    packets = list(inside(container.demux(stream), span))
    return packets if fits(packets, span) else None


def _copy_sound(source: Path, target: Path, span: Span) -> bool:
    import av

    with open_media(source) as container:
        packets = _copied_sound(container, span)
        if packets is None:
            return False
        stream = container.streams.audio[0]
        form = _SOUND_FORMATS.get(codec_name(stream), "wav")
        with av.open(str(target), "w", format=form) as out:
            copy = out.add_stream_from_template(stream)
            origin = packets[0].pts
            for packet in packets:
                shift(packet, origin)
                packet.stream = copy
                out.mux(packet)
    return True


def _encode_sound(source: Path, target: Path, span: Span) -> bool:
    import soundfile

    with open_media(source) as container:
        stream = container.streams.audio[0]
        rate, channels = stream.codec_context.sample_rate, stream.codec_context.channels
        has_32_bits = stream.codec_context.format is not None and stream.codec_context.format.name in ("s32", "s32p")
        written = 0
        with soundfile.SoundFile(
            str(target), "w", rate, channels, format="FLAC", subtype="PCM_24" if has_32_bits else "PCM_16"
        ) as out:
            for block in _samples(container, span, "s32" if has_32_bits else "s16"):
                out.write(block)
                written += len(block)
    return written > 0


def _samples(container: Any, span: Span, form: str) -> Iterator[Any]:
    """Yield the samples of the span as arrays (samples, channels), exact to the sample, at the source's own rate."""
    context = container.streams.audio[0].codec_context
    rate, layout = context.sample_rate, context.layout.name
    begins, frames = sound_from(container, max(0.0, span.start - span.first_sound))
    first = round((span.start - span.first_sound) * rate)
    last = None if math.isinf(span.end) else round((span.end - span.first_sound) * rate)
    position = round(begins * rate)
    for samples in resampled(frames, form=form, layout=layout, rate=rate):
        kept = samples[max(0, first - position) : None if last is None else max(0, last - position)]
        position += len(samples)
        if len(kept):
            yield kept
        if last is not None and position >= last:
            return


def _copy_video(source: Path, target: Path, span: Span) -> bool:
    import av

    with open_media(source) as container, open_media(source) as audio:
        stream = video_streams(container)[0]
        frame = float(1 / stream.average_rate) if stream.average_rate else 0.04
        first = keyframe(container, stream, span.start, frame)
        if first is None:
            return False
        base = Fraction(first.pts) * first.time_base
        codecs = {codec_name(each) for each in (stream, *audio.streams.audio[:1])}
        audio_packets = _sound_packets(audio, span) if audio.streams.audio else iter(())
        with av.open(str(target), "w", format="mp4" if codecs <= _IN_MP4 else "matroska") as out:
            video_packets = picture_packets(container, stream, first, span.end - frame / 2)
            copies = [retimed(out, stream, video_packets, base)]
            if audio.streams.audio:
                copies.append(retimed(out, audio.streams.audio[0], audio_packets, base))
            mux_by_time(out, *copies)
    return True


def _sound_packets(container: Any, span: Span) -> Iterator[Any]:
    stream = container.streams.audio[0]
    seek(container, stream, span.start - 1.0)
    return inside(container.demux(stream), span)


def _packets(out: Any, stream: Any) -> Iterator[Any]:
    return retimed(out, stream, stream.container.demux(stream), Fraction(0))


def _encode_video(source: Path, target: Path, span: Span) -> bool:
    import av

    with open_media(source) as container, open_media(source) as audio:
        stream = video_streams(container)[0]
        with av.open(str(target), "w", format="mp4") as out:
            tracks = [_encode_frames(out, container, stream, span, rotation=_rotation(source))]
            if audio.streams.audio:
                sound = audio.streams.audio[0]
                packets = _copied_sound(audio, span) if codec_name(sound) == "aac" else None
                if packets is not None:
                    tracks.append(retimed(out, sound, iter(packets), Fraction(span.start)))
                else:
                    tracks.append(_encode_audio(out, source, sound, span))
            mux_by_time(out, *tracks)
    return True


def _rotation(source: Path) -> float:
    """Degrees by which players turn the picture, which its frames tell and a re-encoded stream must tell anew."""
    with open_media(source) as container:
        frame = next(iter(container.decode(video_streams(container)[0])), None)
    return 0.0 if frame is None else float(frame.rotation)


def _encode_frames(out: Any, container: Any, stream: Any, span: Span, *, rotation: float) -> Iterator[Any]:
    """Encode the frames that the span shows for half of their own or of the usual time; each keeps its time.

    Where the rate varies, the usual time alone is no measure: a short frame before the start would be in the span, and
    the long one that it begins in would not.
    """
    import av

    codec, options = next((each for each in _ENCODERS if each[0] in av.codecs_available), (None, {}))
    if codec is None:
        raise MediaError("cut_failed", "this PyAV build has no H.264 or MPEG-4 encoder")
    rate = stream.average_rate or Fraction(25)
    made = out.add_stream(codec, rate=rate, options=dict(options))
    made.width, made.height = stream.codec_context.width // 2 * 2, stream.codec_context.height // 2 * 2
    made.pix_fmt = "yuv420p"
    made.codec_context.time_base = stream.time_base
    if rotation:
        made.set_display_rotation(rotation)
    usual = float(1 / rate)

    def encoded() -> Iterator[Any]:
        seek_picture(container, stream, span.start)
        last = -1
        for frame, until in _shown(container.decode(stream), usual):
            if frame.time >= span.end:
                break
            least = min(until - frame.time, usual) / 2
            if until - span.start < least - _ROUNDING or span.end - frame.time <= least + _ROUNDING:
                continue
            at = round((Fraction(frame.pts) * frame.time_base - Fraction(span.start)) / stream.time_base)
            last = at = max(at, last + 1)  # old AVI files can have two frames with the same time
            picture = frame.reformat(made.width, made.height, "yuv420p")
            picture.pts, picture.time_base, picture.pict_type = at, stream.time_base, 0
            yield from made.encode(picture)
        yield from made.encode(None)

    return encoded()


def _shown(frames: Iterator[Any], usual: float) -> Iterator[tuple[Any, float]]:
    """Frames with the time until which each is shown: that of the next one; the last is shown for the usual time."""
    held = None
    for frame in frames:
        if frame.pts is None:
            continue
        if held is not None:
            yield held, max(held.time, frame.time)
        held = frame
    if held is not None:
        yield held, held.time + usual


def _encode_audio(out: Any, source: Path, stream: Any, span: Span) -> Iterator[Any]:
    import av

    rate, layout = stream.codec_context.sample_rate, stream.codec_context.layout.name
    channels = stream.codec_context.channels
    made = out.add_stream("aac", rate=rate, layout=layout, options={"b": str(96_000 * channels), "threads": "1"})

    def encoded_audio() -> Iterator[Any]:
        position = max(0, round((span.first_sound - span.start) * rate))  # the sound may begin after the picture
        with open_media(source) as container:
            for block in _samples(container, span, "s16"):
                frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="s16", layout=layout)
                frame.sample_rate, frame.pts, frame.time_base = rate, position, Fraction(1, rate)
                position += len(block)
                yield from made.encode(frame)
        yield from made.encode(None)

    return encoded_audio()


def _verify(target: Path, kind: str, span: Span, *, has_sound: bool) -> float:
    """Reopen a clip and return its length.

    Raises:
        MediaError: It is not as requested.
    """

    with open_media(target) as container:
        _check_streams(container, kind, sound_required=has_sound)
        length = _length(container, kind)
    if length is None or (math.isfinite(span.end) and abs(length - span.length) > TOLERANCE[kind]):
        reason = "cut_failed" if length is None or length > span.length else "too_short"
        raise MediaError(reason, f"the clip is {length} s long instead of {span.length:.3f} s")
    return length


def _message(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
