"""Fixtures of many tests: the real media beside the repository, and a fresh store."""

from __future__ import annotations

import gc
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from support.places import DATA
from triptych.catalog.sources.synthetic.source import SyntheticSource
from triptych.shards.store import store as stores
from triptych.shards.store.store import Store
from triptych.shards.store.tables import TABLES


def _import_duckdb_as_in_a_script() -> None:
    """A main module without a file makes DuckDB print progress bars; pytest's workers have none, programs have one."""
    main = sys.modules["__main__"]
    if not hasattr(main, "__file__"):
        main.__file__ = __file__
        import duckdb  # noqa: F401

        del main.__file__


_import_duckdb_as_in_a_script()
os.environ["HF_HOME"] = "/no-login-here"  # the hub's client reads it when it is loaded; a login is a setting too


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than processors: tests of kills, servers and time-outs wait while others compute."""
    return (os.cpu_count() or 1) + 1


def pytest_collection() -> None:
    """What is collected stays until the end: looking for garbage meanwhile takes a quarter of the time."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()  # nor is it looked through, 300,000 objects each time, while tests run
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def synthetic_once() -> Iterator[Callable[..., Any]]:
    """Generates each synthetic sample once a worker: it is a function of seed, kind, languages and number.

    Tests of the source itself generate anew: `tests/catalog/sources/synthetic/conftest.py`.
    """
    generate = SyntheticSource._make
    made: dict[tuple[Any, ...], Any] = {}

    def make(source: SyntheticSource, number: int, stem: str) -> Any:
        key = (source.kind, source.seed, tuple(source.languages), number)
        if key not in made:
            made[key] = generate(source, number, stem)
        return made[key]

    SyntheticSource._make = make  # type: ignore[method-assign]
    yield generate
    SyntheticSource._make = generate  # type: ignore[method-assign]


@pytest.fixture(scope="session", autouse=True)
def stores_copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], None]]:
    """Copies an empty store where one is created in a folder that is not there: a tenth of the time of a small pull.

    Tests of the creation itself create anew (the fixture `created_anew`), and so do processes of their own.
    """
    create = stores.create_tables
    empty: dict[tuple[Any, ...], Path] = {}

    def copy(root: Path) -> None:
        if root.exists() or not root.parent.is_dir():
            create(root)
            return
        schemas = tuple(TABLES.items())  # those of a test may be an earlier version's
        if schemas not in empty:
            made = tmp_path_factory.mktemp("empty") / "store"
            create(made)
            empty[schemas] = made
        shutil.copytree(empty[schemas], root)

    stores.create_tables = copy
    yield create
    stores.create_tables = create


@pytest.fixture
def created_anew(stores_copied: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores are created table by table, as a user's are."""
    monkeypatch.setattr(stores, "create_tables", stores_copied)


@pytest.fixture(scope="session", autouse=True)
def views_left_out() -> Iterator[Callable[..., Path]]:
    """No run writes `store.duckdb`, for the plain duckdb client: a fifth of the time of a small pull.

    Tests that open that file have it written (the fixture `views_written`), and so do processes of their own; so does
    whoever asks for the file itself by `triptych store refresh`.
    """
    refresh = Store.refresh

    def only_as_asked(store: Store, **given: Any) -> Path:
        return refresh(store, **given) if given else store.root / "store.duckdb"

    Store.refresh = only_as_asked  # type: ignore[method-assign]
    yield refresh
    Store.refresh = refresh  # type: ignore[method-assign]


@pytest.fixture
def views_written(views_left_out: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs write `store.duckdb`, as a user's do."""
    monkeypatch.setattr(Store, "refresh", views_left_out)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with `media/` and `mirror/`."""
    if not (DATA / "media" / "MANIFEST.yaml").is_file():
        pytest.skip(f"needs the real media in {DATA}")
    return DATA


@pytest.fixture(scope="session")
def no_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of settings that is not there."""
    return tmp_path_factory.getbasetemp() / "no-config"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, no_config: Path) -> None:
    """No setting of the machine reaches a test."""
    for name in ("TRIPTYCH_STORE", "TRIPTYCH_MIRROR", "HF_ENDPOINT", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(no_config))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store.create(tmp_path / "store")


@pytest.fixture(scope="session")
def tone() -> Callable[..., bytes]:
    """FLAC or WAV bytes of a tone; another `pitch` (Hz) or `seconds` gives other bytes."""
    import io

    made: dict[tuple[Any, ...], bytes] = {}

    def make(pitch: float = 440.0, *, seconds: float = 0.1, rate: int = 8000, format: str = "FLAC") -> bytes:
        key = (pitch, seconds, rate, format)
        if key not in made:
            time = np.arange(round(seconds * rate)) / rate
            file = io.BytesIO()
            soundfile.write(file, 0.3 * np.sin(2 * math.pi * pitch * time), rate, format=format)
            made[key] = file.getvalue()
        return made[key]

    return make
