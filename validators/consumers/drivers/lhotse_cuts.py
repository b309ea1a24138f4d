"""Lhotse: the cuts of a version, its shards, or its Kaldi data directory, with every recording loaded.

They lie beside the rows: `cuts.jsonl.gz`, the folder `shar`, or else `wav.scp` and the files that go with it. `heard`
are recordings whose samples Lhotse has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .answers import answer, begin, read_ids, words


def main() -> None:
    """Answer one request."""
    request, answers = begin()
    import lhotse

    answer(answers, {"consumer": "lhotse", "version": lhotse.__version__, "model": None})
    for each in _answers(Path(request["file"]), request.get("rows")):
        answer(answers, each)


def _answers(file: Path, rows: int | None) -> Iterator[dict[str, Any]]:
    ids = read_ids(file)
    said, wanted = _texts(file), set(ids[:rows])
    found: dict[str, dict[str, Any]] = {}
    lost: dict[str, Any] = {"outcome": "deleted", "stage": "load"}
    loaded = 0
    try:
        for identity, cut in _cuts(file.parent):
            loaded += 1
            if identity in wanted:
                found[identity] = _cut(cut, said[identity])
    except Exception as error:  # noqa: BLE001 (the answer)
        lost = {"outcome": "crashed", "stage": "load", "why": words(error)}
        wanted = set(ids)
    yield from ({"id": each, **found.get(each, lost)} for each in ids if each in wanted)
    yield {"rows": len(ids), "loaded": loaded}


def _cuts(folder: Path) -> Iterator[tuple[str, Any]]:
    """The cuts, each with the id of its row; those of shards one after the other, as they hold their sound."""
    from lhotse import CutSet

    if (folder / "cuts.jsonl.gz").is_file():
        yield from ((cut.id, cut) for cut in CutSet.from_file(folder / "cuts.jsonl.gz"))
        return
    if (folder / "shar").is_dir():
        yield from ((cut.id, cut) for cut in CutSet.from_shar(in_dir=folder / "shar"))
        return
    from lhotse.kaldi import load_kaldi_data_dir

    ids = dict(line.split(maxsplit=1) for line in (folder / "utt2id").read_text(encoding="utf-8").splitlines())
    recordings, supervisions, _ = load_kaldi_data_dir(folder, sampling_rate=16_000)
    cuts = CutSet.from_manifests(recordings=recordings, supervisions=supervisions)
    yield from ((ids[cut.supervisions[0].id], cut) for cut in cuts)


def _texts(file: Path) -> dict[str, str | None]:
    with file.open(encoding="utf-8") as lines:
        return {row["id"]: row.get("text") for row in map(json.loads, lines)}


def _cut(cut: Any, text: str | None) -> dict[str, Any]:
    try:
        samples = cut.load_audio()
    except Exception as error:  # noqa: BLE001 (the answer)
        return {"outcome": "crashed", "stage": "load", "why": words(error)}
    [said] = cut.supervisions
    if text is not None and said.text != text:
        return {"outcome": "replaced", "stage": "load", "why": f"its text is {said.text!r}, not {text!r}"[:300]}
    return {
        "outcome": "kept",
        "stage": None,
        "heard": {"audio": 1, "video": 0, "image": 0},
        "seconds": round(samples.shape[-1] / cut.sampling_rate, 3),
    }
