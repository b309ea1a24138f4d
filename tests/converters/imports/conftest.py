"""Sounds with room for tables beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tables import Tone, beside_sounds


@pytest.fixture
def clips(tmp_path: Path, tone: Tone) -> Path:
    """A folder with `wav/0.flac` to `wav/4.flac`, and room for tables beside it."""
    return beside_sounds(tmp_path, tone)
