"""What is heard and seen in the small corpora."""

from __future__ import annotations

import pytest
from support.natives import films, wavs


@pytest.fixture(scope="session")
def heard() -> list[bytes]:
    """Short sounds, all different."""
    return wavs(4, seconds=0.1)


@pytest.fixture(scope="session")
def seen() -> list[bytes]:
    """Short videos with sound, all different."""
    return films(3)
