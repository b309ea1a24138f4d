"""Cards that tests make: the head, which says what a corpus is, and where a card lies; the sources are a test's own."""

from __future__ import annotations

from pathlib import Path

HEAD = """
name: {name}
title: {title}
panel: {panel}
modality: {modality}
tasks: [{task}]
languages: [en]
license: CC0-1.0
splits: {splits}
"""


def head(
    name: str, *, title: str | None = None, task: str = "asr", panel: str = "S1", modality: str = "audio",
    splits: str = "{train: train}",
) -> str:  # fmt: skip
    """All of a card above its sources."""
    said = {"title": title or name.capitalize(), "task": task, "panel": panel, "modality": modality, "splits": splits}
    return HEAD.format(name=name, **said)


def put_card(folder: Path, name: str, text: str) -> Path:
    """Write a card into a folder of cards; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(text)
    return folder


SOUNDS = (
    head("sounds", task="tagging")
    + """
sources:
  - archive: https://example.org/sounds/train.tar
    reader: sidecar
"""
)
"""Sounds with a JSON beside each."""
