"""Video measurements: every frame of the first stream that is not a cover picture is decoded and counted.

* `video_decoded_frames`: frames that the decoder returned, `video_corrupt_frames` of them flagged as corrupt.
* `video_decoded_duration`: from the first frame's time to the end of the last one, in seconds; if the container has no
  times, frames / `video_fps`.
* `video_declared_duration`: the stream's, else the container's, in seconds. `video_fps`: the stream's average rate.
* `video_has_audio`: whether the file has an audio stream; `audio.scan` measures whether that decodes.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from ...shards.media.streams import open_media

_ATTACHED_PICTURE = 0x400
"""FFmpeg's AV_DISPOSITION_ATTACHED_PIC: a cover picture, not a video."""


def measure(path: Path) -> dict[str, Any]:
    """Return the columns of a video file; a decoder's failure is `video_error`, beside the values decoded before it.

    Raises:
        FileNotFoundError, NotADirectoryError: There is no such file.
    """
    stat = path.stat()
    return dict(_measure(str(path), stat.st_size, stat.st_mtime_ns))


# Consecutive rows are often spans of, or questions about, the same file.
@lru_cache(maxsize=64)
def _measure(path: str, size: int, modified_ns: int) -> dict[str, Any]:
    import av

    if size == 0:
        return {"video_error": "the file is empty (0 bytes)"}
    row: dict[str, Any] = {}
    try:
        with open_media(Path(path)) as container:
            row["video_has_audio"] = any(stream.codec_context.sample_rate for stream in container.streams.audio)
            moving = [stream for stream in container.streams.video if not stream.disposition & _ATTACHED_PICTURE]
            if not moving:
                return {**row, "video_error": "no video stream"}
            row.update(_declared(container, moving[0]))
            _decode(container, moving[0], row)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        row["video_error"] = getattr(error, "strerror", None) or str(error)
    return row


def _declared(container: Any, stream: Any) -> dict[str, Any]:
    duration = None
    if stream.duration is not None and stream.time_base is not None:
        duration = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        duration = float(container.duration) / 1_000_000
    return {
        "video_codec": stream.codec_context.name,
        "video_fps": float(stream.average_rate) if stream.average_rate else None,
        "video_declared_duration": duration,
    }


def _decode(container: Any, stream: Any, row: dict[str, Any]) -> None:
    count = corrupt = 0
    first = last = None
    frame_s = 1 / row["video_fps"] if row["video_fps"] else 0.0
    try:
        for frame in container.decode(stream):
            count += 1
            corrupt += bool(frame.is_corrupt)
            if count == 1:
                row["video_width"], row["video_height"] = frame.width, frame.height
            if frame.time is not None:
                first = frame.time if first is None else min(first, frame.time)
                last = frame.time if last is None else max(last, frame.time)
    finally:
        row["video_decoded_frames"], row["video_corrupt_frames"] = count, corrupt
        seconds = count * frame_s if first is None or last is None else last - first + frame_s
        row["video_decoded_duration"] = seconds if count else 0.0
