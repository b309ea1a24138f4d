"""File name extensions of media, in lower case and without the dot."""

from __future__ import annotations

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
