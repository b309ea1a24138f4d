"""Training files, as trainers and other tools write them."""

from __future__ import annotations

from pathlib import Path

from truth.layouts.corpus import Corpus, text_of
from truth.layouts.tables import table_rows
from truth.utterances import Utterance


def unified(corpus: Corpus) -> Path:
    return corpus.lines("unified.jsonl", table_rows(corpus))


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
    rows = corpus.rows(instruction=lambda _: "<audio>Transcribe.", output=text_of, audio=corpus.place)
    return corpus.lines("rows.jsonl", rows)


def qa(corpus: Corpus) -> Path:
    rows = corpus.rows(question=lambda _: "What is said?", answer=text_of, audio=corpus.place)
    return corpus.lines("rows.jsonl", rows)


def termchunks(corpus: Corpus) -> Path:
    def terms(each: Utterance) -> list[str]:
        return [each.text]

    rows = corpus.rows(
        term_chunk_audio=corpus.place, term_chunk_text=text_of, term_chunk_audio_ground_truth_terms=terms
    )
    return corpus.lines("chunks.jsonl", rows)
