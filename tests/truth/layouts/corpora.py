"""Layouts of corpora, which cards name: trees of media with texts beside them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from truth import chirps
from truth.forms import FORMS
from truth.layouts.corpus import Corpus, text_of
from truth.layouts.tables import columns_of, embedded, write_parquet
from truth.utterances import Utterance


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
    for each in corpus.utterances:
        _beside(corpus, f"audio/{each.name}.{FORMS[corpus.media.form].extension}", each)
    rows = corpus.rows(file=lambda each: f"{each.name}.{FORMS[corpus.media.form].extension}", words=text_of)
    with corpus.path("train.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, columns_of(rows))
        out.writeheader()
        out.writerows(rows)
    return corpus.folder


def hub_columns(corpus: Corpus) -> Path:
    write_parquet(corpus.path("train/rows.parquet"), embedded(corpus))
    return corpus.folder
