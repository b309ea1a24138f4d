"""How every reader's layout states an utterance: one function per layout, and `LAYOUTS`, which names them all.

A function gets a `Corpus`: utterances, and how their clips are stored. It writes the corpus as its format wants it and
returns the path to import or pull. Layouts in which a row names its media take `Corpus.place`, those that contain media
`Corpus.data`. `spans` gives the columns of a span in one of the spellings of `spellings.py`.

A new reader is one function here and its line in `LAYOUTS`: `test_registry.py` fails until it has both.
"""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from truth import chirps
from truth.forms import FORMS, encoded, written
from truth.spellings import SPELLINGS
from truth.utterances import Media, Utterance


@dataclass(frozen=True)
class Corpus:
    """What a layout writes down.

    Attributes:
        spelling: How spans are spelled, where the layout does not fix it: a key of `SPELLINGS`.
        column: The column of the media, where the layout does not fix it: `audio` or `video`.
    """

    folder: Path
    utterances: tuple[Utterance, ...]
    media: Media = Media()
    spelling: str = "start_s, end_s"
    column: str = "audio"

    def data(self, utterance: Utterance) -> bytes:
        """The whole file of an utterance's clip."""
        return encoded(self.media.form, utterance.clip, self.media.channels)

    def name(self, utterance: Utterance) -> str:
        return f"clip{utterance.clip}.{FORMS[self.media.form].extension}"

    def place(self, utterance: Utterance) -> str:
        """The file of an utterance's clip, relative to the folder; it is written."""
        written(self.folder / "media", self.media.form, utterance.clip, self.media.channels)
        return f"media/{self.name(utterance)}"

    def spans(self, utterance: Utterance) -> dict[str, Any]:
        """The columns that state the span and the channel of an utterance."""
        columns = SPELLINGS[self.spelling](utterance.start_s, utterance.end_s) if not _is_uncut(utterance) else {}
        return columns if utterance.channel is None else columns | {"channel": utterance.channel}

    def rows(self, **columns: Callable[[Utterance], Any]) -> list[dict[str, Any]]:
        """A row per utterance: `id`, these columns, the span."""
        return [
            {"id": each.name, **{name: value(each) for name, value in columns.items()}, **self.spans(each)}
            for each in self.utterances
        ]

    def path(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def lines(self, name: str, rows: list[dict[str, Any]]) -> Path:
        """Rows as JSON Lines."""
        path = self.path(name)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path


def _is_uncut(utterance: Utterance) -> bool:
    return utterance.start_s is None and utterance.end_s is None


@dataclass(frozen=True)
class Layout:
    """One layout of one reader.

    Attributes:
        reader: Key of `READERS`.
        write: Writes a corpus; returns the path to read.
        format: The `import` format; None: a card names the reader, and the layout is pulled.
        card: The reader's options on that card.
        spans, channels: Whether the layout can state them.
        spelled: Whether spans are spelled by the writer of the data, not by the format.
        film: Whether the layout holds films only.
        options: Of the import.
    """

    reader: str
    write: Callable[[Corpus], Path]
    format: str | None = None
    card: Mapping[str, Any] = field(default_factory=dict)
    spans: bool = True
    channels: bool = True
    spelled: bool = False
    film: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def options_of(self, spans: Mapping[str, Any]) -> dict[str, Any]:
        """The reader's options on a card that maps these columns to a span."""
        card = dict(self.card)
        if "columns" in card:
            return card | {"columns": {**card["columns"], **spans}}
        return card | spans if self.reader == "columns" else card


def _text(utterance: Utterance) -> str:
    return utterance.text


# ---- tables


def _table(corpus: Corpus) -> list[dict[str, Any]]:
    return corpus.rows(**{corpus.column: corpus.place}, text=_text)


def _columns_of(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def csv_table(corpus: Corpus) -> Path:
    import csv

    rows = _table(corpus)
    path = corpus.path("table.csv")
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, _columns_of(rows))
        out.writeheader()
        out.writerows({name: json.dumps(cell) if isinstance(cell, list) else cell for name, cell in row.items()}
                      for row in rows)  # fmt: skip
    return path


def json_table(corpus: Corpus) -> Path:
    path = corpus.path("table.json")
    path.write_text(json.dumps(_table(corpus)))
    return path


def jsonl_table(corpus: Corpus) -> Path:
    return corpus.lines("table.jsonl", _table(corpus))


def _parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([{name: row.get(name) for name in _columns_of(rows)} for row in rows]), path)
    return path


def _embedded(corpus: Corpus) -> list[dict[str, Any]]:
    return corpus.rows(audio=lambda each: {"bytes": corpus.data(each), "path": corpus.name(each)}, text=_text)


def parquet_table(corpus: Corpus) -> Path:
    return _parquet(corpus.path("table.parquet"), _embedded(corpus))


def saved_dataset(corpus: Corpus) -> Path:
    """As `datasets` saves it to disk."""
    import pyarrow as pa

    rows = _embedded(corpus)
    table = pa.Table.from_pylist([{name: row.get(name) for name in _columns_of(rows)} for row in rows])
    path = corpus.path("saved/data-00000-of-00001.arrow")
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)
    state = {"_data_files": [{"filename": path.name}], "_fingerprint": "0", "_split": "train"}
    corpus.path("saved/state.json").write_text(json.dumps(state))
    features = {"audio": {"_type": "Audio"}}
    corpus.path("saved/dataset_info.json").write_text(json.dumps({"features": features}))
    return path.parent


# ---- training files


def unified(corpus: Corpus) -> Path:
    return corpus.lines("unified.jsonl", _table(corpus))


def msswift(corpus: Corpus) -> Path:
    def messages(each: Utterance) -> list[dict[str, str]]:
        turns = [("user", "<audio>Transcribe the speech."), ("assistant", each.text)]
        return [{"role": role, "content": content} for role, content in turns]

    return corpus.lines("rows.jsonl", corpus.rows(messages=messages, audios=lambda each: [corpus.place(each)]))


def conversation(corpus: Corpus) -> Path:
    def turns(each: Utterance) -> list[dict[str, str]]:
        return [{"from": "human", "value": "<audio>What is said?"}, {"from": "gpt", "value": each.text}]

    return corpus.lines("rows.json", corpus.rows(conversations=turns, audio=corpus.place))


def alpaca(corpus: Corpus) -> Path:
    return corpus.lines(
        "rows.jsonl", corpus.rows(instruction=lambda _: "<audio>Transcribe.", output=_text, audio=corpus.place)
    )


def qa(corpus: Corpus) -> Path:
    return corpus.lines(
        "rows.jsonl", corpus.rows(question=lambda _: "What is said?", answer=_text, audio=corpus.place)
    )


def termchunks(corpus: Corpus) -> Path:
    def terms(each: Utterance) -> list[str]:
        return [each.text]

    rows = corpus.rows(
        term_chunk_audio=corpus.place, term_chunk_text=_text, term_chunk_audio_ground_truth_terms=terms
    )
    return corpus.lines("chunks.jsonl", rows)


# ---- interchange formats


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
        if _is_uncut(each):
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


# ---- layouts of corpora


def _beside(corpus: Corpus, name: str, each: Utterance) -> None:
    corpus.path(name).write_bytes(corpus.data(each))


def media_folder(corpus: Corpus) -> Path:
    for each in corpus.utterances:
        _beside(corpus, f"{each.name}.{FORMS[corpus.media.form].extension}", each)
        corpus.path(f"{each.name}.txt").write_text(each.text)
    return corpus.folder


def sidecars(corpus: Corpus) -> Path:
    for each in corpus.utterances:
        _beside(corpus, f"train/{each.name}.{FORMS[corpus.media.form].extension}", each)
        corpus.path(f"train/{each.name}.json").write_text(json.dumps({"text": each.text, **corpus.spans(each)}))
    return corpus.folder


def transcripts(corpus: Corpus) -> Path:
    for each in corpus.utterances:
        _beside(corpus, f"train/1/{each.name}.{FORMS[corpus.media.form].extension}", each)
    lines = "".join(f"{each.name} {each.text}\n" for each in corpus.utterances)
    corpus.path("train/1/words.trans.txt").write_text(lines)
    return corpus.folder


def timit(corpus: Corpus) -> Path:
    for number, each in enumerate(corpus.utterances):
        stem = f"TRAIN/DR1/FCJF0/SX{number + 1}"
        _beside(corpus, f"{stem}.WAV", each)
        corpus.path(f"{stem}.TXT").write_text(f"0 {round(chirps.SECONDS * 16_000)} {each.text}\n")
    return corpus.folder


def lipreading(corpus: Corpus) -> Path:
    for number, each in enumerate(corpus.utterances):
        stem = f"pretrain/talk/{number:05d}"
        _beside(corpus, f"{stem}.mp4", each)
        corpus.path(f"{stem}.txt").write_text(f"Text:  {each.text}\nConf:  4\n")
    return corpus.folder


def annotated(corpus: Corpus) -> Path:
    """A table beside media; several rows of one clip are several files, as the reader pairs a row with a file."""
    import csv

    for each in corpus.utterances:
        _beside(corpus, f"audio/{each.name}.{FORMS[corpus.media.form].extension}", each)
    rows = corpus.rows(file=lambda each: f"{each.name}.{FORMS[corpus.media.form].extension}", words=_text)
    with corpus.path("train.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, _columns_of(rows))
        out.writeheader()
        out.writerows(rows)
    return corpus.folder


def hub_columns(corpus: Corpus) -> Path:
    _parquet(corpus.path("train/rows.parquet"), _embedded(corpus))
    return corpus.folder


def in_manifest(corpus: Corpus) -> Path:
    """Lhotse cuts with the sound itself in the manifest."""
    path = lhotse(corpus)
    cuts = [json.loads(line) for line in path.read_text().splitlines()]
    for cut, each in zip(cuts, corpus.utterances, strict=True):
        source = cut["recording"]["sources"][0]
        source |= {"type": "memory", "source": base64.b64encode(corpus.data(each)).decode()}
    return corpus.lines("cuts_train.jsonl", cuts)


_TREE = "{split}/{chapter_id}/"

LAYOUTS: dict[str, Layout] = {
    "csv": Layout("table", csv_table, "csv", spelled=True),
    "json": Layout("table", json_table, "json", spelled=True),
    "jsonl": Layout("table", jsonl_table, "jsonl", spelled=True),
    "parquet": Layout("table", parquet_table, "parquet", spelled=True),
    "hf": Layout("hf", saved_dataset, "hf", spelled=True),
    "unified": Layout("unified", unified, "unified", spelled=True),
    "msswift": Layout("msswift", msswift, "msswift", spelled=True),
    "conversation": Layout("conversation", conversation, "conversation", spelled=True),
    "alpaca": Layout("alpaca", alpaca, "alpaca", spelled=True),
    "qa": Layout("qa", qa, "qa", spelled=True),
    "termchunks": Layout("termchunks", termchunks, "termchunks", spelled=True),
    "lhotse": Layout("lhotse", lhotse, "lhotse"),
    "lhotse in memory": Layout("lhotse", in_manifest, "lhotse"),
    "kaldi": Layout("kaldi", kaldi, "kaldi"),
    "nemo": Layout("nemo", nemo, "nemo"),
    "webdataset": Layout("webdataset", webdataset, "webdataset", spelled=True),
    "folder": Layout("folder", media_folder, "folder", spans=False, channels=False),
    "sidecar": Layout("sidecar", sidecars),
    "transcripts": Layout("transcripts", transcripts, spans=False, channels=False, card={
        "media": _TREE + "{id}.*", "transcripts": _TREE + "*.trans.txt"}),
    "timit": Layout("timit", timit, spans=False, channels=False),
    "lipreading": Layout("lipreading", lipreading, spans=False, channels=False, film=True),
    "annotated": Layout("annotated", annotated, channels=False, card={
        "tables": [{"file": "{split}.csv"}], "media": {"audio": "audio/{file}"}, "id": "id",
        "columns": {"text": "words"}}),
    "columns": Layout("columns", hub_columns, channels=False, card={"id": "id", "audio": "audio", "text": "text"}),
}  # fmt: skip
"""Name -> layout. Those of one reader differ in what they can go wrong with."""
