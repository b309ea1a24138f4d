"""What the tests of remote media share: candidates, clips on a loopback host, and a scripted extractor of yt-dlp.

The extractor is a plugin that real yt-dlp loads: it stands in for YouTube's own, reads `script.json` beside it and
notes every question in `asked.log`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from support.forks import server_pid
from triptych.catalog.sources.clips.options import ClipOptions
from triptych.catalog.sources.clips.stage import fetch_remote
from triptych.converters.candidate import Blob, Candidate, Rejection, Remote

RATE = 48_000

EXTRACTOR = """
import json, pathlib, time
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import ExtractorError

FOLDER = pathlib.Path(__file__).parent


class ScriptedIE(InfoExtractor):
    _VALID_URL = r"https://www\\.youtube\\.com/watch\\?v=(?P<id>[\\w-]{11})"
    IE_NAME = "scripted"

    def _real_extract(self, url):
        name = self._match_id(url)
        with (FOLDER / "asked.log").open("a") as log:
            log.write(name + "\\n")
        asked = (FOLDER / "asked.log").read_text().split().count(name)
        act = json.loads((FOLDER / "script.json").read_text())[name]
        if asked <= act.get("walls", 0) or "error" in act:
            raise ExtractorError(act.get("error", "Sign in to confirm you\\u2019re not a bot"), expected=True)
        if "geo" in act:
            self.raise_geo_restricted()
        if "instead" in act:
            return self.url_result("https://www.youtube.com/watch?v=" + act["instead"])
        if "entries" in act:
            return self.playlist_result([self.url_result(each) for each in act["entries"]], name)
        if "page" in act:
            self._download_webpage(act["page"], name)
        if "hang" in act:
            time.sleep(600)
        return {"id": name, "title": name, "formats": act["formats"],
                "duration": act.get("duration"), "live_status": act.get("live_status")}
"""


class Site:
    """The scripted site: what it answers by id, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.plugins = folder
        self._home = folder / "scripted" / "yt_dlp_plugins" / "extractor"
        self._home.mkdir(parents=True)
        (self._home / "scripted.py").write_text(EXTRACTOR)
        self.script: dict[str, dict[str, Any]] = {}

    def answer(self, name: str, **act: Any) -> str:
        """Script one id; a full watch URL comes back."""
        assert len(name) == 11
        self.script[name] = act
        (self._home / "script.json").write_text(json.dumps(self.script))
        return f"https://www.youtube.com/watch?v={name}"

    def asked(self) -> list[str]:
        log = self._home / "asked.log"
        return log.read_text().split() if log.exists() else []


def sound_format(url: str) -> list[dict[str, Any]]:
    return [{"format_id": "140", "url": url, "ext": "m4a", "vcodec": "none", "acodec": "mp4a.40.2"}]


def wanted(
    name: str, url: str, start_s: float | None = None, end_s: float | None = None, *,
    site: str = "link", kind: str = "audio", split: str = "train",
) -> Candidate:  # fmt: skip
    remote = Remote(url, start_s, end_s, site)
    return Candidate(name, split, {"text": name}, [(kind, Blob(name, remote=remote))], uri=url)


def options(**given: Any) -> ClipOptions:
    return ClipOptions(**{"jobs": 2, "timeout_s": 60.0, "backoff_s": 0.05, "private_hosts": True, **given})


def fetched(items: Iterable[Any], spool: Path, given: ClipOptions | None = None, **more: Any) -> list[Any]:
    return list(fetch_remote(items, given or options(), dataset="clips", spool=spool, **more))


def told(items: list[Any]) -> list[str]:
    """Each item in one word: its reason, or `ok`."""
    return [item.reason if isinstance(item, Rejection) else "ok" for item in items]


def tone_file(path: Path, *, seconds: float = 4, pitch: float = 440) -> Path:
    """AAC in MP4."""
    samples = (8000 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE)).astype(np.int16)
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def video_file(path: Path, *, seconds: int = 3) -> Path:
    """A video without sound."""
    with av.open(str(path), "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=10, options={"g": "10"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(seconds * 10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, dtype=np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def children() -> set[int]:
    """Processes that this one has started, or has had forked, and that still run."""
    found = set()
    parents = {os.getpid(), server_pid()}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) in parents and fields[0] != "Z":
            found.add(int(stat.parent.name))
    return found - {server_pid()}


@contextmanager
def nothing_left(spool: Path, *, kept: int = 0) -> Iterator[None]:
    """After the block no process is left, and no file but `kept` clips that were handed over."""
    before = children()
    yield
    until = time.monotonic() + 5
    while children() - before and time.monotonic() < until:
        time.sleep(0.05)
    assert children() - before == set()
    files = [path for path in spool.parent.rglob("*") if path.is_file()] if spool.parent.is_dir() else []
    assert len(files) == kept, files


def talk_file(path: Path, *, seconds: int = 8, pitch: float = 440) -> Path:
    """A video with sound: H.264 with a keyframe a second, and AAC."""
    samples = (8000 * np.sin(2 * np.pi * pitch * np.arange(seconds * RATE) / RATE)).astype(np.int16)
    with av.open(str(path), "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=10, options={"g": "10", "sc_threshold": "0", "threads": "1"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = out.add_stream("aac", rate=RATE, layout="mono")
        for number in range(seconds * 10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, dtype=np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        heard = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        heard.sample_rate, heard.pts, heard.time_base = RATE, 0, Fraction(1, RATE)
        out.mux(sound.encode(heard))
        out.mux(sound.encode(None))
    return path
