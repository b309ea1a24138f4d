"""What a pull made of a corpus: rows by id, what was not kept and why, and whether two pulls made the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.stores import check_accounts, check_media, select
from triptych.errors import GateError

Row = Mapping[str, Any]
Rows = Mapping[str, Row]
"""Rows by id without the dataset's name."""


def pulled(name: str, store: Path, **options: Any) -> dict[str, dict[str, Any]]:
    """Pull, check the account and the media, and give the rows by id without the dataset's name."""
    triptych.pull(name, store=store, **options)
    check_accounts(store)
    check_media(store)
    return rows_of(name, store)


def rows_of(name: str, store: Path) -> dict[str, dict[str, Any]]:
    return {row["id"].removeprefix(f"{name}/"): row for row in select(store, "select * from samples order by id")}


def reasons(store: Path) -> dict[str, str]:
    """Candidate -> reason of everything that was not kept."""
    found = select(store, "select candidate, reason from events")
    return {row["candidate"].rsplit("/", 1)[-1]: row["reason"] for row in found}


def extra(row: Mapping[str, Any]) -> dict[str, str]:
    """The column `extra` as a mapping."""
    value = row["extra"]
    return dict(value) if value else {}


def columns(rows: Rows, *names: str) -> dict[str, tuple[Any, ...]]:
    """These columns by id."""
    return {identity: tuple(row[name] for name in names) for identity, row in rows.items()}


def digests(rows: Rows) -> dict[str, str]:
    """The SHA-256 of each audio by id."""
    return {identity: row["audio"]["sha256"] for identity, row in rows.items()}


def asked(rows: Rows) -> dict[str, tuple[str | None, list[str] | None, str | None]]:
    """Question, choices and answer by id."""
    return {identity: (row["question"], row["choices"], row["answer"]) for identity, row in rows.items()}


def same(one: Rows, other: Rows) -> bool:
    """Whether two routes gave the same rows: all but where and when they came from."""
    aside = {"source", "revision", "pulled_at", "extra", "audio_file", "video_file", "image_file"}
    return {i: {k: v for k, v in row.items() if k not in aside} | {"extra": extra(row)} for i, row in one.items()} == {
        i: {k: v for k, v in row.items() if k not in aside} | {"extra": extra(row)} for i, row in other.items()
    }


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def refused(name: str, store: Path, *said: str) -> None:
    """Nothing is downloaded or stored; the message says what to accept and where, and the exit code is 3."""
    with pytest.raises(GateError) as caught:
        triptych.pull(name, store=store)
    message = f"{caught.value.message} {caught.value.hint}"
    assert [each for each in (*said, "--from PATH") if each not in message] == []
    assert caught.value.exit_code == 3
    assert not rows_of(name, store)


def without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any socket to anywhere fails the test."""
    import socket

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
