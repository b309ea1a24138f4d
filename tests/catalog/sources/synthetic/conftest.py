"""The tests of the source generate every sample anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from triptych.catalog.sources.synthetic.source import SyntheticSource


@pytest.fixture(autouse=True)
def generated_anew(synthetic_once: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SyntheticSource, "_make", synthetic_once)
