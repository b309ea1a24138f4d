"""Image measurements: whether it decodes, and its decoded width and height in pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...shards.media.streams import open_media


def measure(path: Path) -> dict[str, Any]:
    """Return the columns of an image, or `image_error`.

    Raises:
        FileNotFoundError, NotADirectoryError: There is no such file.
    """
    import av

    path.stat()
    try:
        with open_media(path) as container:
            if not container.streams.video:
                return {"image_error": "no image stream"}
            frame = next(iter(container.decode(video=0)), None)
            if frame is None:
                return {"image_error": "no picture could be decoded"}
            return {"image_width": frame.width, "image_height": frame.height}
    except (av.error.FFmpegError, ValueError, OSError) as error:
        return {"image_error": getattr(error, "strerror", None) or str(error)}
