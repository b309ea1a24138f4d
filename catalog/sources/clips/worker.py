"""The program of a download process: one download at a time, and the clips cut from it.

It reads requests as lines of JSON from standard input and writes one answer line for each. The last download, or its
failure, is kept until a request for another URL, so that many segments of one video cost one download. When standard
input ends, the parent is gone: the process kills itself and all its children, whatever it is doing.

    start    {cookies, proxy, max_bytes, plugin_dirs, timeout_s, folder, trusted_hosts, private_hosts}
    request  {site, url, kind, start_s, end_s, sound_required, target}
    answer   {path, how, duration} or {reason, detail} or {fatal}
"""

from __future__ import annotations

import errno
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ....shards.media.clip import cut_clip
from ....shards.media.fence import fenced
from ....shards.media.probe import MediaError
from .download import Download
from .failures import REFUSALS, ClipError
from .network_guard import Guard

Request = dict[str, Any]
Get = Callable[[Request, Request, Path], Download]

_REASON_OF_MEDIA = {"no_audio": "no_audio", "no_video": "no_video", "too_short": "too_short", "bad_span": "too_short"}


class _Server:
    """Answers requests one by one."""

    def __init__(self, start: Request) -> None:
        self._start = start
        self._folder = Path(start["folder"]) / "media"
        self._folder.mkdir()
        self._key: tuple[str, ...] | None = None
        self._held: Download | ClipError | None = None
        self._number = 0
        self._guard = Guard(
            trusted_hosts=start["trusted_hosts"], private_hosts=start["private_hosts"], proxy=start["proxy"]
        )
        self._guard.install()

    def answer(self, request: Request) -> Request:
        try:
            source = self._source(request)
            source.check_reach(request["start_s"], request["end_s"])
            return self._cut(source.path, request)
        except ClipError as error:
            return {"reason": error.reason, "detail": error.detail}
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                return {"fatal": f"{error.strerror}: {self._folder}"}
            return {"reason": "network", "detail": f"{type(error).__name__}: {error}"}
        except Exception as error:  # noqa: BLE001 (one odd link or file must not end the process, and the links after it)
            reason = "extractor_failed" if request["site"] == "youtube" else "not_media"
            return {"reason": reason, "detail": f"{type(error).__name__}: {error}"}

    def _source(self, request: Request) -> Download:
        key = (request["site"], request["url"], request["kind"])
        if key != self._key:
            self._clear()
            self._key, self._number = key, self._number + 1
            try:
                self._held = self._get(request)
            except ClipError as error:
                if error.reason in REFUSALS:  # not about this URL: it may be requested again
                    self._key = None
                self._held = error
        if isinstance(self._held, ClipError):
            raise self._held
        assert self._held is not None
        return self._held

    def _get(self, request: Request) -> Download:
        self._guard.refused = None
        try:
            return _getter(request["site"])(self._start, request, self._folder / f"{self._number}")
        except ClipError as error:
            if self._guard.refused is not None:  # a library may have turned it into another error
                raise self._guard.refused from error
            raise

    def _clear(self) -> None:
        self._key, self._held = None, None
        for path in self._folder.iterdir():
            path.unlink()

    def _cut(self, source: Path, request: Request) -> Request:
        target = Path(request["target"])
        if request["kind"] == "image":
            os.link(source, target)
            return {"path": str(target), "how": "whole", "duration": None}
        try:
            with fenced("what was downloaded"):
                clip = cut_clip(
                    source, target, kind=request["kind"], start_s=request["start_s"], end_s=request["end_s"],
                    sound_required=request["sound_required"],
                )  # fmt: skip
        except MediaError as error:
            raise ClipError(_REASON_OF_MEDIA.get(error.reason, "not_media"), error.detail) from error
        if clip.path == source:
            os.link(source, target)  # other requests may use the same file
        return {"path": str(target), "how": clip.how, "duration": clip.duration}


def _getter(site: str) -> Get:
    if site == "youtube":
        from .youtube import get_video

        return get_video
    from .direct_url import get_link

    return get_link


def main() -> None:
    """Serve requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # output of libraries must not mix with the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    server = _Server(requests.get())
    while True:
        answers.write(json.dumps(server.answer(requests.get())) + "\n")
        answers.flush()


def _read_requests(requests: queue.SimpleQueue[Request]) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
