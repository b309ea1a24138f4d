"""Interchange formats of speech tools; most fix how a span is spelled."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from truth import chirps
from truth.forms import FORMS
from truth.layouts.corpus import Corpus, is_uncut
from truth.utterances import Utterance


def _last(utterance: Utterance) -> float:
    return chirps.SECONDS if utterance.end_s is None else utterance.end_s


def lhotse(corpus: Corpus) -> Path:
    """Cuts with one supervision each, whose time counts from the start of the cut."""
    cuts = []
    for each in corpus.utterances:
        rate, channels = FORMS[corpus.media.form].rate, list(range(corpus.media.channels))
        source = {"type": "file", "channels": channels, "source": corpus.place(each)}
        recording = {"id": f"clip{each.clip}", "sources": [source], "sampling_rate": rate,
                     "num_samples": round(chirps.SECONDS * rate), "duration": chirps.SECONDS,
                     "channel_ids": channels}  # fmt: skip
        channel = channels[0] if each.channel is None and len(channels) == 1 else each.channel
        before = min(0.25, each.start_s or 0.0)
        zero = (each.start_s or 0.0) - before
        length = _last(each) - (each.start_s or 0.0)
        supervision = {"id": each.name, "recording_id": recording["id"], "start": before, "duration": length,
                       "channel": channels if channel is None else channel, "text": each.text}  # fmt: skip
        cuts.append({"id": f"cut-{each.name}", "start": zero, "duration": before + length, "recording": recording,
                     "channel": supervision["channel"], "supervisions": [supervision], "type": "MonoCut"})  # fmt: skip
    return corpus.lines("cuts_train.jsonl", cuts)


def kaldi(corpus: Corpus) -> Path:
    """A recording per clip and channel, as `segments` and `reco2file_and_channel` name them."""
    files: dict[str, list[str]] = {"wav.scp": [], "text": [], "segments": [], "reco2file_and_channel": []}
    for each in corpus.utterances:
        recording = f"clip{each.clip}" + ("" if each.channel is None else f"-{each.channel}")
        line = f"{recording} {corpus.place(each)}"
        if line not in files["wav.scp"]:
            files["wav.scp"].append(line)
            if each.channel is not None:
                files["reco2file_and_channel"].append(f"{recording} clip{each.clip} {'AB'[each.channel]}")
        files["text"].append(f"{each.name} {each.text}")
        files["segments"].append(f"{each.name} {recording} {each.start_s or 0} {_last(each)}")
    for name, lines in files.items():
        if lines:
            corpus.path(name).write_text("".join(f"{line}\n" for line in lines))
    return corpus.folder


def nemo(corpus: Corpus) -> Path:
    rows = []
    for each in corpus.utterances:
        row: dict[str, Any] = {"audio_filepath": corpus.place(each), "text": each.text}
        if is_uncut(each):
            row["duration"] = chirps.SECONDS
        else:
            row |= {"offset": each.start_s or 0.0, "duration": _last(each) - (each.start_s or 0.0)}
        if each.channel is not None:
            row["channel_selector"] = each.channel
        rows.append(row)
    return corpus.lines("manifest.json", rows)


def webdataset(corpus: Corpus) -> Path:
    path = corpus.path("shard-000000.tar")
    with tarfile.open(path, "w") as out:
        for each in corpus.utterances:
            members = {FORMS[corpus.media.form].extension: corpus.data(each), "txt": each.text.encode()}
            if spans := corpus.spans(each):
                members["json"] = json.dumps(spans).encode()
            for extension, data in members.items():
                entry = tarfile.TarInfo(f"{each.name}.{extension}")
                entry.size = len(data)
                out.addfile(entry, io.BytesIO(data))
    return path


def in_manifest(corpus: Corpus) -> Path:
    """Lhotse cuts with the sound itself in the manifest."""
    path = lhotse(corpus)
    cuts = [json.loads(line) for line in path.read_text().splitlines()]
    for cut, each in zip(cuts, corpus.utterances, strict=True):
        source = cut["recording"]["sources"][0]
        source |= {"type": "memory", "source": base64.b64encode(corpus.data(each)).decode()}
    return corpus.lines("cuts_train.jsonl", cuts)
