"""File name extensions of media, in lower case and without the dot."""

from __future__ import annotations

from pathlib import PurePosixPath

AUDIO = frozenset(
    [
        "wav",
        "flac",
        "mp3",
        "ogg",
        "oga",
        "opus",
        "m4a",
        "m4b",
        "aac",
        "aif",
        "aiff",
        "aifc",
        "au",
        "snd",
        "caf",
        "wma",
        "w64",
        "rf64",
        "amr",
        "ac3",
        "ape",
        "wv",
        "tta",
        "mka",
        "sph",
        "nist",
        "voc",
    ]
)
VIDEO = frozenset(
    ["mp4", "m4v", "mov", "mkv", "webm", "avi", "flv", "wmv", "mpg", "mpeg", "ts", "3gp", "3g2", "ogv", "asf"]
)
IMAGE = frozenset(["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff"])
MEDIA_EXTENSIONS = AUDIO | VIDEO | IMAGE


def kind_of(name: str) -> str | None:
    """The kind of media that a file of this name should be: audio, video or image; None for another extension."""
    extension = PurePosixPath(name).suffix.lower().removeprefix(".")
    return "audio" if extension in AUDIO else "video" if extension in VIDEO else "image" if extension in IMAGE else None
