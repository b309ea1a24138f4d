"""A video from YouTube, or any site that yt-dlp supports: downloaded whole, cut afterwards.

Downloading only a section would need the ffmpeg program, cut at the nearest keyframe, and be repeated for the next
segment of the same video. For audio only the audio stream is requested, otherwise video of at most 480 lines. If a site
serves video and audio separately, both are fetched and joined here, since yt-dlp needs ffmpeg for that.
"""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any, NoReturn

from ....shards.media.clip import join_tracks
from ....shards.media.fence import fenced
from ....shards.media.probe import MediaError
from .failures import ClipError
from .ytdlp_errors import reason_of, summary

FORMATS = {
    "audio": "ba[ext=m4a]/ba/b",
    "video": "b[height<=?480][ext=mp4]/b[height<=?720][ext=mp4]/b[height<=?720]",
}
"""Formats requested first, by kind of media (`b`: video with audio, `ba`: audio only)."""
APART = "bv[height<=?480][ext=mp4]/bv[height<=?720]/bv,ba[ext=m4a]/ba"
"""Video and audio in two files, if no single file has both."""
MUTE = "b/bv"
_NO_FORMAT = "requested format is not available"


def get_video(start: dict[str, Any], request: dict[str, Any], stem: Path) -> Path:
    """Download the video of a request, or only its audio.

    Raises:
        ClipError: With the reason for yt-dlp's error.
    """
    kind = request["kind"]
    choices = (FORMATS[kind],) if kind == "audio" else (FORMATS[kind], APART, MUTE)
    for choice in choices[:-1]:
        try:
            return _one_file(_download(start, request, stem, choice), stem)
        except _NoFormat:
            continue
    try:
        return _one_file(_download(start, request, stem, choices[-1]), stem)
    except _NoFormat as error:
        raise ClipError("extractor_failed", f"format not available: {choices[-1]}") from error


class _NoFormat(Exception):
    """The site does not have the requested format."""


def _download(start: dict[str, Any], request: dict[str, Any], stem: Path, choice: str) -> list[Path]:
    from yt_dlp import YoutubeDL
    from yt_dlp.utils import DownloadCancelled, YoutubeDLError

    _use_plugins(start["plugin_dirs"])
    refused: list[ClipError] = []
    is_downloading = threading.Event()

    def refuse(reason: str, detail: str) -> NoReturn:
        """Stop yt-dlp: this is the one exception that it lets through, though as a new instance."""
        refused.append(ClipError(reason, detail))
        raise DownloadCancelled(detail)

    def check_info(info: dict[str, Any], *, incomplete: object = False) -> None:
        if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming"):
            refuse("live", f"live status: {info.get('live_status') or 'is_live'}")
        length = info.get("duration")
        if length and (request["start_s"] or 0) >= length:
            refuse("too_short", f"it lasts {length:g} s, the span starts at {request['start_s']:g} s")
        missing = _missing_stream(info, request["kind"])
        if missing:
            refuse(missing, "none of its formats has that stream")
        if not incomplete:  # the last call, with the format chosen
            is_downloading.set()

    def check_size(progress: dict[str, Any]) -> None:
        size = max(progress.get("total_bytes") or 0, progress.get("downloaded_bytes") or 0)
        if size > start["max_bytes"]:
            refuse("too_large", f"{size:,} bytes, more than {start['max_bytes']:,}")

    options = _settings(start, stem, choice) | {"match_filter": check_info, "progress_hooks": [check_size]}
    try:
        with YoutubeDL(options) as ydl:
            ydl.extract_info(request["url"], download=True)
    except DownloadCancelled as error:
        raise (refused[-1] if refused else ClipError("extractor_failed", summary(error))) from error
    except YoutubeDLError as error:
        if _NO_FORMAT in str(error).lower():
            raise _NoFormat from error
        raise ClipError(reason_of(error, downloading=is_downloading.is_set()), summary(error)) from error
    found = sorted(path for path in stem.parent.glob(f"{stem.name}.*") if path.suffix not in (".part", ".ytdl"))
    if not found:
        raise ClipError("extractor_failed", "yt-dlp produced no file")
    return found


def _missing_stream(info: dict[str, Any], kind: str) -> str:
    """Return `no_audio` or `no_video` if every format declares that it lacks the stream; undeclared may have it."""
    formats = [
        each for each in info.get("formats") or () if (each.get("acodec"), each.get("vcodec")) != ("none", "none")
    ]
    codec = "acodec" if kind == "audio" else "vcodec"
    if formats and all(each.get(codec) == "none" for each in formats):
        return "no_audio" if kind == "audio" else "no_video"
    return ""


def _settings(start: dict[str, Any], stem: Path, choice: str) -> dict[str, Any]:
    cookies = stem.parent.parent / "cookies"
    if start["cookies"] and not cookies.exists():
        cookies.touch(mode=0o600)
        shutil.copyfile(start["cookies"], cookies)  # yt-dlp writes to its cookie file
    return {
        "format": choice,
        "outtmpl": {"default": f"{stem}.%(format_id)s.%(ext)s".replace("%", "%%").replace("%%(", "%(")},
        "paths": {},
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "noplaylist": True,
        "ignoreerrors": False,
        "cachedir": False,
        "updatetime": False,
        "postprocessors": [],
        "fixup": "never",
        "retries": 2,
        "extractor_retries": 1,
        "fragment_retries": 4,
        "socket_timeout": min(30.0, float(start["timeout_s"])),
        "js_runtimes": {"deno": {}, "node": {}},
        "cookiefile": str(cookies) if start["cookies"] else None,
        "proxy": start["proxy"],
    }


def _use_plugins(folders: list[str]) -> None:
    if folders:
        from yt_dlp.globals import plugin_dirs

        plugin_dirs.value = ["default", *folders]


def _one_file(paths: list[Path], stem: Path) -> Path:
    if len(paths) == 1:
        return paths[0]
    both = stem.with_name(f"{stem.name}-both")
    video, audio = paths if _has_video(paths[0]) else reversed(paths)
    try:
        with fenced("its video and audio"):
            join_tracks(video, audio, both)
    except MediaError as error:
        raise ClipError("not_media", error.detail) from error
    return both


def _has_video(path: Path) -> bool:
    from ....shards.media.probe import probe

    try:
        return probe(path).kind == "video"
    except MediaError as error:
        raise ClipError("not_media", error.detail) from error
