"""A server on 127.0.0.1 that speaks OpenAI's protocol around any function from sound and text to text.

    with serve_model(lambda asked: "hello") as server:
        triptych.infer(..., model="tiny", server=server.url)
        server.fail(429, retry_after="0", times=2)

`POST /v1/chat/completions` takes messages whose parts are text, `input_audio` (base64 WAV) or `audio_url`;
`POST /v1/audio/transcriptions` takes a form; `GET /v1/models` lists its models. Every request is recorded.
"""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import soundfile


@dataclass
class Heard:
    """What one request asks.

    Attributes:
        path: `/v1/chat/completions` or another.
        body: The document, or the fields of the form.
        text: All texts of its messages, in order.
        sounds: The samples of its sounds; URLs are kept as they are.
        key: What it sent as its key.
    """

    path: str
    body: dict[str, Any]
    text: str = ""
    sounds: list[Any] = field(default_factory=list)
    rates: list[int] = field(default_factory=list)
    key: str | None = None


Reply = str | dict[str, Any]
"""A text, or the whole document."""


@dataclass
class ModelServer:
    """A running server: what it was asked, and how it fails."""

    answer: Callable[[Heard], Reply]
    models: tuple[str, ...]
    port: int = 0
    key: str | None = None
    asked: list[Heard] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def fail(self, status: int, *, times: int | None = 1, message: str = "no", retry_after: str | None = None) -> None:
        """Answer the next `times` questions with this status; always, where it is None."""
        self.failures.append({"status": status, "times": times, "message": message, "retry_after": retry_after})

    def due(self) -> dict[str, Any] | None:
        with self.lock:
            for failure in self.failures:
                if failure["times"] != 0:
                    failure["times"] = None if failure["times"] is None else failure["times"] - 1
                    return failure
        return None


@contextmanager
def serve_model(answer: Callable[[Heard], Reply], models: tuple[str, ...] = ("tiny",)) -> Iterator[ModelServer]:
    """Serve until the block ends."""
    running = ModelServer(answer, models)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"running": running}))
    server.daemon_threads = True
    server.block_on_close = False
    running.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


class _Handler(BaseHTTPRequestHandler):
    running: ModelServer
    protocol_version = "HTTP/1.1"
    timeout = 20
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        listed = [{"id": name, "object": "model"} for name in self.running.models]
        self._send(200, {"object": "list", "data": listed})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        running = self.running
        with running.lock:
            running.at_once += 1
            running.most_at_once = max(running.most_at_once, running.at_once)
        try:
            self._answer(body)
        finally:
            with running.lock:
                running.at_once -= 1

    def _answer(self, body: bytes) -> None:
        running = self.running
        sent = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if running.key is not None and sent != running.key:
            self._send(401, {"error": {"message": "wrong key"}})
            return
        heard = _form(self.path, body, self.headers["Content-Type"]) if "audio" in self.path else _chat(self.path, body)
        heard.key = sent or None
        running.asked.append(heard)
        if failure := running.due():
            extra = {} if failure["retry_after"] is None else {"Retry-After": failure["retry_after"]}
            self._send(failure["status"], {"error": {"message": failure["message"]}}, extra)
            return
        said = running.answer(heard)
        if "audio" in self.path:
            self._send(200, {"text": said} if isinstance(said, str) else said)
        else:
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
            self._send(200, {"choices": [choice]} if isinstance(said, str) else said)

    def _send(self, status: int, document: dict[str, Any], extra: dict[str, str] | None = None) -> None:
        data = json.dumps(document).encode()
        with suppress(ConnectionError):
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **(extra or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)


def _chat(path: str, body: bytes) -> Heard:
    document = json.loads(body)
    heard = Heard(path, document)
    for message in document["messages"]:
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if part["type"] == "text":
                heard.text += part["text"]
            elif part["type"] == "audio_url":
                heard.sounds.append(part["audio_url"]["url"])
            else:
                _listen(heard, base64.b64decode(part["input_audio"]["data"], validate=True))
    return heard


def _form(path: str, body: bytes, content_type: str) -> Heard:
    parts = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    heard = Heard(path, {})
    for part in parts.get_payload():
        name = part.get_param("name", header="Content-Disposition")  # type: ignore[union-attr]
        data = part.get_payload(decode=True)  # type: ignore[union-attr]
        if name == "file":
            _listen(heard, data)  # type: ignore[arg-type]
        else:
            heard.body[str(name)] = data.decode()  # type: ignore[union-attr]
    return heard


def _listen(heard: Heard, data: bytes) -> None:
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    heard.sounds.append(samples)
    heard.rates.append(rate)


def slowly(seconds: float, answer: Callable[[Heard], Reply]) -> Callable[[Heard], Reply]:
    """The same answers after so many seconds."""

    def slow(heard: Heard) -> Reply:
        time.sleep(seconds)
        return answer(heard)

    return slow
