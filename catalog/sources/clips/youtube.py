"""A video from YouTube, or any site that yt-dlp supports: downloaded whole, cut afterwards.

Downloading only a section would need the ffmpeg program, cut at the nearest keyframe, and be repeated for the next
segment of the same video. For audio only the audio stream is requested, otherwise video of at most 480 lines. If a site
serves video and audio separately, both are fetched and joined here, since yt-dlp needs ffmpeg for that.

Nothing else is taken for the video of a request: not an entry of a playlist, not the trailer that a site offers in
place of a paid video, not the recording of a stream that has just ended (it may begin hours late), not a dubbed sound
where the original one is known. A download in pieces fails if one of them is missing, since all that follows would be
early.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ....shards.media.clip import join_tracks
from ....shards.media.fence import fenced
from ....shards.media.probe import MediaError, Probe, probe
from .download import Download, shortest
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


_LIVE = ("is_live", "is_upcoming", "post_live")
_ID = re.compile(
    r"(?:youtube(?:-nocookie)?\.com/(?:watch\?(?:[^#]*&)?v=|embed/|shorts/|live/|v/)|youtu\.be/)([\w-]{11})(?![\w-])"
)
_LANGUAGE = re.compile(r"[\w-]+")
_LABELLED = 0
"""Preferences of languages above it are those that a site gives to the original sound, or the usual one."""


def get_video(start: dict[str, Any], request: dict[str, Any], stem: Path) -> Download:
    """Download the video of a request, or only its audio.

    Raises:
        ClipError: With the reason for yt-dlp's error.
    """
    kind = request["kind"]
    choices = (FORMATS[kind],) if kind == "audio" else (FORMATS[kind], APART, MUTE)
    try:
        return _first_choice(start, request, stem, choices)
    except _OtherLanguage as error:
        for path in stem.parent.glob(f"{stem.name}.*"):
            path.unlink()
        spoken = f"[language={error.language}]"
        found = _first_choice(start, request, stem, [_with_sound(choice, spoken) for choice in choices])
        if kind == "video" and not _has_sound(found.path):
            raise ClipError("extractor_failed", "no format of its size has the original sound") from error
        return found


def _first_choice(start: dict[str, Any], request: dict[str, Any], stem: Path, choices: Sequence[str]) -> Download:
    for choice in choices[:-1]:
        try:
            return _download(start, request, stem, choice)
        except _NoFormat:
            continue
    try:
        return _download(start, request, stem, choices[-1])
    except _NoFormat as error:
        raise ClipError("extractor_failed", f"format not available: {choices[-1]}") from error


def _with_sound(choice: str, condition: str) -> str:
    """A choice of formats whose sound meets a condition; video without sound needs none."""
    return re.sub(r"(?<![\w.])(ba|b)(?![\w.])", lambda found: found[0] + condition, choice)


class _NoFormat(Exception):
    """The site does not have the requested format."""


class _OtherLanguage(Exception):
    """The chosen format is dubbed; the site has the sound in its original language, too."""

    def __init__(self, language: str) -> None:
        super().__init__(language)
        self.language = language


def _download(start: dict[str, Any], request: dict[str, Any], stem: Path, choice: str) -> Download:
    from yt_dlp import YoutubeDL
    from yt_dlp.utils import DownloadCancelled, YoutubeDLError

    _use_plugins(start["plugin_dirs"])
    refused: list[Exception] = []
    stated: list[float] = []
    is_downloading = threading.Event()

    def stop(why: Exception) -> NoReturn:
        """Stop yt-dlp: this is the one exception that it lets through, though as a new instance."""
        refused.append(why)
        raise DownloadCancelled(str(why))

    def refuse(reason: str, detail: str) -> NoReturn:
        stop(ClipError(reason, detail))

    def check_info(info: dict[str, Any], *, incomplete: object = False) -> None:
        if (info.get("n_entries") or 1) > 1:
            refuse("not_media", f"it is a list of {info['n_entries']} videos")
        if (asked := _ID.search(request["url"])) and info.get("id") not in (None, asked[1]):
            refuse("members_only", f"the site offers another video in its place: {info['id']}")
        if info.get("is_live") or info.get("live_status") in _LIVE:
            refuse("live", f"live status: {info.get('live_status') or 'is_live'}")
        length = info.get("duration")
        if length and (request["start_s"] or 0) >= length:
            refuse("too_short", f"it lasts {length:g} s, the span starts at {request['start_s']:g} s")
        missing = _missing_stream(info, request["kind"])
        if missing:
            refuse(missing, "none of its formats has that stream")
        if not incomplete:  # the last call, with the format chosen
            if (language := _original(info)) is not None:
                stop(_OtherLanguage(language))
            stated.extend([float(length)] if length else [])
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
    return _whole(found, stem, stated[-1] if stated else None)


def _original(info: dict[str, Any]) -> str | None:
    """The language of the original sound if the formats chosen have another, or do not say theirs; else None."""
    heard = [each for each in info.get("formats") or () if each.get("acodec") != "none" and each.get("language")]
    best = max(heard, key=_preference, default=None)
    if best is None or _preference(best) <= _LABELLED or not _LANGUAGE.fullmatch(best["language"]):
        return None
    chosen = [each for each in info.get("requested_formats") or [info] if each.get("acodec") != "none"]
    return None if all(each.get("language") == best["language"] for each in chosen) else str(best["language"])


def _preference(form: dict[str, Any]) -> int:
    return int(form.get("language_preference") or 0)


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
        "skip_unavailable_fragments": False,
        "socket_timeout": min(30.0, float(start["timeout_s"])),
        "js_runtimes": {"deno": {}, "node": {}},
        "cookiefile": str(cookies) if start["cookies"] else None,
        "proxy": start["proxy"],
    }


def _use_plugins(folders: list[str]) -> None:
    if folders:
        from yt_dlp.globals import plugin_dirs

        plugin_dirs.value = ["default", *folders]


def _whole(paths: list[Path], stem: Path, stated_s: float | None) -> Download:
    """The file of a download, its video and its sound joined if they came apart."""
    probes = [_probed(path) for path in paths] if len(paths) > 1 or stated_s is not None else []
    arrived_s = shortest(each.fields.get("duration") for each in probes if each is not None)
    if len(paths) == 1:
        return Download(paths[0], stated_s, arrived_s)
    if len(paths) > 2:
        raise ClipError("not_media", f"it came as {len(paths)} files")
    both = stem.with_name(f"{stem.name}-both")
    video, audio = paths if probes[0] is not None and probes[0].kind == "video" else reversed(paths)
    try:
        with fenced("its video and audio"):
            join_tracks(video, audio, both)
    except MediaError as error:
        raise ClipError("not_media", error.detail) from error
    return Download(both, stated_s, arrived_s)


def _has_sound(path: Path) -> bool:
    header = _probed(path)
    return header is not None and bool(header.fields.get("has_audio"))


def _probed(path: Path) -> Probe | None:
    """What a file's header says; None for what is no media, which cutting it tells."""
    try:
        return probe(path)
    except MediaError:
        return None
