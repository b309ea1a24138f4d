"""The folder in which files are converted."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, with `a.wav`, `b.wav`, `v.mp4`, `i.png`: conversion decodes no media, it looks at the first bytes."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.wav", "b.wav", "v.mp4", "i.png"):
        (tmp_path / name).write_bytes(b"\x00media")
    return tmp_path
