"""Video measurements: every frame of the first stream that is not a cover picture is decoded and counted.

* `video_decoded_frames`: frames that the decoder returned, `video_corrupt_frames` of them flagged as corrupt.
* `video_decoded_duration`: from the first frame's time to the end of the last one, in seconds; the last one counts with
  its own duration, which may be long (a slide). If the container has no times, frames / `video_fps`.
* `video_declared_duration`: the stream's, in seconds; null if only the length of the whole file is declared, which is
  `container_declared_duration` and that of its longest stream. `video_fps`: the stream's average rate.
* `video_width`, `video_height`: as the picture is shown, so after a turn by a quarter.
* `video_has_audio`: whether the file has an audio stream; `decode.scan` measures whether that decodes.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from ...shards.media.length import container_seconds, declared_seconds
from ...shards.media.streams import codec_name, has_sound, has_unknown_codec, open_media, turns, video_streams


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
            row["video_has_audio"] = has_sound(container)
            moving = video_streams(container)
            if not moving:
                unknown = has_unknown_codec(container)
                return {**row, "video_error": "FFmpeg does not know its codec" if unknown else "no video stream"}
            row.update(_declared(container, moving[0]))
            _decode(container, moving[0], row)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        row["video_error"] = getattr(error, "strerror", None) or str(error)
    return row


def _declared(container: Any, stream: Any) -> dict[str, Any]:
    declared = declared_seconds(container, stream)
    return {
        "video_codec": codec_name(stream),
        "video_fps": float(stream.average_rate) if stream.average_rate else None,
        "video_declared_duration": declared,
        "container_declared_duration": container_seconds(container) if declared is None else None,
    }


def _decode(container: Any, stream: Any, row: dict[str, Any]) -> None:
    count = corrupt = 0
    first, end = None, 0.0
    frame_s = 1 / row["video_fps"] if row["video_fps"] else 0.0
    try:
        for frame in container.decode(stream):
            count += 1
            corrupt += bool(frame.is_corrupt)
            if count == 1:
                size = (frame.width, frame.height)
                row["video_width"], row["video_height"] = reversed(size) if turns(frame) else size
            if frame.time is not None:
                first = frame.time if first is None else min(first, frame.time)
                end = max(end, frame.time + (float(frame.duration * frame.time_base) or frame_s))
    finally:
        row["video_decoded_frames"], row["video_corrupt_frames"] = count, corrupt
        seconds = count * frame_s if first is None else end - first
        row["video_decoded_duration"] = seconds if count else 0.0
