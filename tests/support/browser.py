"""A real browser without a screen: Debian's Chromium, driven over its DevTools protocol; tests skip without it."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio",
    "--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0",
)  # fmt: skip
SECONDS = 30


class Browser:
    """One page of a browser. What the page asks the network for and what goes wrong in it is kept."""

    def __init__(self, socket: Any, downloads: Path) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.downloads = downloads
        self.requests: list[str] = []
        self.faults: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self.call(f"{domain}.enable")
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == number:
                assert "error" not in message, f"{method}: {message['error']}"
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif message.get("method") == "Runtime.exceptionThrown":
            self.faults.append(str(parameters["exceptionDetails"]))
        elif message.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.faults.append(parameters["entry"]["text"])
        elif message.get("method") == "Page.javascriptDialogOpening":
            self.faults.append(f"dialog: {parameters['message']}")

    def open(self, page: Path) -> None:
        self.call("Page.navigate", url=page.resolve().as_uri())
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def run(self, code: str) -> Any:
        """Evaluate an expression, awaited if it is a promise."""
        done = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True, userGesture=True)
        assert "exceptionDetails" not in done, f"{code}: {done['exceptionDetails']}"
        return done["result"].get("value")

    def wait(self, code: str) -> Any:
        """Wait until an expression is true."""
        return wait(lambda: self.run(code), code)

    def click(self, selector: str) -> None:
        """Click in the middle of an element, as a mouse does."""
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        self.run(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        place = self.run(f"(({{x, y, width, height}}) => ({{x: x + width / 2, y: y + height / 2}}))({box})")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def key(self, key: str) -> None:
        """Press a key."""
        text = {"Enter": "\r", "Escape": ""}.get(key, key)
        code = {" ": 32, "Escape": 27, "Enter": 13}.get(key, ord(key[0].upper()))
        named = {"key": key, "windowsVirtualKeyCode": code}
        self.call(
            "Input.dispatchKeyEvent",
            type="keyDown" if text else "rawKeyDown",
            **named,
            **({"text": text} if text else {}),
        )
        self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def type(self, selector: str, text: str) -> None:
        """Type into a field, and leave it."""
        self.run(f"document.querySelector({json.dumps(selector)}).select()")
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)
        self.run("document.activeElement.blur()")

    def choose_file(self, selector: str, path: Path) -> None:
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def text(self, selector: str) -> str:
        return str(self.run(f"document.querySelector({json.dumps(selector)}).textContent"))

    def downloaded(self, pattern: str) -> Path:
        """Wait for a file to be saved, and return it."""
        found: Path = wait(lambda: next(iter(self.downloads.glob(pattern)), None), pattern)
        return found

    def picture(self, path: Path, *, width: int = 1100, height: int | None = None, dark: bool = False) -> Path:
        """Save a picture of the whole page, or of its top."""
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )
        size = {"width": width, "height": height or 800, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=height is None)
        path.write_bytes(base64.b64decode(shot["data"]))
        return path


def wait(ready: Any, what: str) -> Any:
    """Call until the result is true, and return it."""
    end = time.monotonic() + SECONDS
    while not (found := ready()):
        assert time.monotonic() < end, f"waited {SECONDS} s for {what}"
        time.sleep(0.02)
    return found


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with a profile and a folder of downloads of its own."""
    websocket = pytest.importorskip("websocket", reason="needs websocket-client")
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    profile, downloads = folder / "profile", folder / "downloads"
    downloads.mkdir(parents=True)
    process = subprocess.Popen(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        port_file = profile / "DevToolsActivePort"
        wait(lambda: port_file.is_file() and port_file.read_text().count("\n"), "Chromium to start")
        port = port_file.read_text().split()[0]
        with contextlib.closing(_connect(websocket, port)) as socket:
            yield Browser(socket, downloads)
    finally:
        process.terminate()
        process.wait(timeout=SECONDS)


def _connect(websocket: Any, port: str) -> Any:
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/json/list", timeout=SECONDS) as answer:
        target = next(each for each in json.load(answer) if each["type"] == "page")
    return websocket.create_connection(target["webSocketDebuggerUrl"], timeout=SECONDS, suppress_origin=True)
