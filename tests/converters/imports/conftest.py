"""Sounds with room for tables beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tables import Tone


@pytest.fixture
def clips(tmp_path: Path, tone: Tone) -> Path:
    """A folder with `wav/0.flac` to `wav/4.flac`, and room for tables beside it."""
    (tmp_path / "data" / "wav").mkdir(parents=True)
    for n in range(5):
        (tmp_path / "data" / "wav" / f"{n}.flac").write_bytes(tone(300 + n))
    return tmp_path / "data"
