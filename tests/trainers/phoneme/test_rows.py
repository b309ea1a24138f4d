"""The vocabulary of an export, and rows of phones as the model reads them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import stores

pytest.importorskip("torch")
pytest.importorskip("transformers")

from triptych.errors import UsageError
from triptych.trainers.data.bad_rows import BadRow
from triptych.trainers.data.training_row import TrainingRow
from triptych.trainers.data.training_rows import TrainingRows
from triptych.trainers.data.turns import ASSISTANT, USER, Clip, Turn
from triptych.trainers.phoneme.phone_rows import PhoneEncoder
from triptych.trainers.phoneme.vocabulary import PhoneVocabulary, Said

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def rows(phone_store: Path) -> TrainingRows:
    return TrainingRows.open("phones", store=phone_store)


@pytest.fixture(scope="module")
def encoder(rows: TrainingRows, whisper: Path, language_model: Callable[[str], Path]) -> PhoneEncoder:
    vocabulary = PhoneVocabulary.of_export(rows)
    return PhoneEncoder(language_model("tied"), hearing=whisper, vocabulary=vocabulary, prompt="what", needs_ctc=True)


def row(clip: Path, said: str, *asked: Any) -> TrainingRow:
    parts = (Clip(str(clip)), "which phones?", *asked)
    return TrainingRow(id="1", where="x", turns=(Turn(USER, parts), Turn(ASSISTANT, (said,))))


def test_phones_are_those_of_the_rows_in_the_order_in_which_they_come(rows: TrainingRows) -> None:
    said = [phone for row in rows for phone in row.turns[-1].text.split()]
    made = PhoneVocabulary.of_export(rows)
    assert made.phones == tuple(dict.fromkeys(said)) and made.counts["sil"] == said.count("sil") == 8
    assert (made.phone_set, made.silence) == ("39", {"sil"})
    often = PhoneVocabulary.of_export(rows, min_freq=4)
    assert set(often.phones) == {phone for phone in said if said.count(phone) >= 4}
    assert set(often.rare) == set(said) - set(often.phones) == {"hh", "ae", "d"}


def test_words_of_another_view_are_no_phones(
    rows: TrainingRows, whisper: Path, language_model: Callable[[str], Path], tmp_path: Path, monkeypatch: Any
) -> None:
    from pydantic import ValidationError
    from support.training_runs import phoneme_config
    from triptych.trainers.phoneme.base import vocabulary_of

    folder = language_model("tied")
    config = phoneme_config(folder, whisper, tmp_path)
    assert vocabulary_of(config, rows, folder) == PhoneVocabulary.of_export(rows)
    monkeypatch.setitem(rows.reader.version.manifest, "view", "msswift")
    with pytest.raises(UsageError, match="rows of the view msswift, not of phones"):
        vocabulary_of(config, rows, folder)
    made = PhoneVocabulary.of_export(rows)
    made.save(tmp_path / "own", made.extended(folder))
    own = {"model": {"base_model": str(folder), "tokenizer": str(tmp_path / "own")}}
    assert vocabulary_of(phoneme_config(folder, whisper, tmp_path, **own), rows, folder) == made
    with pytest.raises(ValidationError, match="was built already"):
        phoneme_config(folder, whisper, tmp_path, **own, phoneme={"min_freq": 2})
    with pytest.raises(UsageError, match="how a token of phones is written"):
        PhoneVocabulary.of_export(rows, said=Said({"a><ph_b": 1}, "own", ()))


def test_a_phone_is_one_token_and_no_part_of_words(
    encoder: PhoneEncoder, language_model: Callable[[str], Path]
) -> None:
    from transformers import AutoTokenizer

    plain, made = AutoTokenizer.from_pretrained(language_model("tied")), encoder.tokenizer
    text = "shh, the sil of ah | sh iy"
    assert made(text)["input_ids"] == plain(text)["input_ids"]
    ids = made("<PH_START><ph_sh><ph_iy><PH_END>", add_special_tokens=False)["input_ids"]
    assert len(ids) == 4 and min(ids) >= len(plain)
    assert made.decode(ids, skip_special_tokens=True).replace(" ", "") == "<PH_START><ph_sh><ph_iy><PH_END>"


def test_the_command_writes_a_vocabulary_that_is_read_again(
    phone_store: Path, language_model: Callable[[str], Path], tmp_path: Path
) -> None:
    out = tmp_path / "vocabulary"
    command = ["phoneme", "build-vocabulary", "phones", "--model", language_model("tied"), "--min-freq", 4, "--out",
               out, "--store", phone_store]  # fmt: skip
    done = stores.cli(*command, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["rare"] == {"hh": 2, "ae": 2, "d": 2} and told["tokens"] == 260 + 3 + len(told["phones"]) - 1
    made = PhoneVocabulary.open(out)
    assert made.phones == tuple(told["phones"]) and made.rare == told["rare"]
    assert made.extended(language_model("tied")).get_vocab() == made.extended(out).get_vocab()
    assert stores.cli(*command).returncode == 2
    with pytest.raises(UsageError, match="no vocabulary of phones"):
        PhoneVocabulary.open(tmp_path)


def test_the_label_of_a_row_is_its_phones_and_the_end_and_nothing_before(
    encoder: PhoneEncoder, clips: Callable[[float], Path]
) -> None:
    """30 s are 1,500 frames; with a question of 7 tokens, two phones and the end 1,510 labels."""
    plain = PhoneEncoder(
        encoder.folder, hearing=encoder.hearing, vocabulary=encoder.vocabulary, prompt="6 byte", has_boundaries=False
    )  # fmt: skip
    one = plain.encode(row(clips(30.0), "sh iy"))
    number = plain.tokenizer.convert_tokens_to_ids
    end = [number("<ph_sh>"), number("<ph_iy>"), plain.tokenizer.eos_token_id]
    assert one.labels.tolist() == [-100] * 1507 + end
    assert one.input_ids.tolist()[:1500] == [number("<PH_SOUND>")] * 1500
    assert plain.tokenizer.decode(one.input_ids[1500:1507]) == "6 byte\n"
    two = encoder.encode(row(clips(1.2), "sh iy"))
    kept = [label for label in two.labels.tolist() if label != -100]
    assert kept == [*end[:2], number("<PH_END>"), end[2]]
    assert two.input_ids[: len(two) - 4].tolist()[-1] == number("<PH_START>")


@pytest.mark.parametrize("seconds", [0.005, 0.31, 1.2])
def test_lengths_are_known_before_a_clip_is_decoded(
    encoder: PhoneEncoder, clips: Callable[[float], Path], seconds: float
) -> None:
    one = row(clips(seconds), "sh" if seconds < 0.01 else "sh iy")
    made = encoder.encode(one)
    assert encoder.length(one).tokens == len(made) == len(pickle.loads(pickle.dumps(encoder)).encode(one))
    frames = made.input_ids.tolist().count(encoder.sound_id)
    assert frames == -(-int(seconds * 16_000) // 320)


def test_features_are_those_of_the_encoders_own_extractor(
    encoder: PhoneEncoder, clips: Callable[[float], Path], noises: Callable[[float], Any]
) -> None:
    import soundfile
    import torch
    from transformers import WhisperFeatureExtractor

    batch = encoder.join([encoder.encode(row(clips(seconds), "sh iy")) for seconds in (0.31, 1.2)])
    sounds = [soundfile.read(clips(seconds), dtype="float32")[0] for seconds in (0.31, 1.2)]
    wanted = WhisperFeatureExtractor(feature_size=80)(sounds, sampling_rate=16_000, return_tensors="pt")
    assert torch.allclose(batch["input_features"], wanted.input_features, atol=1e-5)
    assert (
        batch["ctc_counts"].tolist() == [2, 2]
        and batch["ctc_classes"].tolist()[:2] == batch["ctc_classes"].tolist()[2:]
    )


def test_a_row_that_would_be_learned_wrongly_is_refused(encoder: PhoneEncoder, clips: Callable[[float], Path]) -> None:
    clip = clips(0.31)
    asking = PhoneEncoder(encoder.folder, hearing=encoder.hearing, vocabulary=encoder.vocabulary, prompt=None)
    cases = {
        "unknown_phone": (encoder, row(clip, "sh zh")), "not_one_clip": (encoder, row(clip, "sh", Clip(str(clip)))),
        "phone_token": (asking, row(clip, "sh", "<ph_sh>")),
        "too_many_phones": (encoder, row(clips(0.05), "sh sh iy ah")),
        "not_one_question": (encoder, replace(row(clip, "sh"), turns=row(clip, "sh").turns * 2)),
        "too_long": (encoder, row(clips(30.1), "sh")),
    }  # fmt: skip
    for reason, (own, bad) in cases.items():
        with pytest.raises(BadRow) as told:
            own.encode(bad)
        assert told.value.reason == reason


def test_a_vocabulary_of_test_rows_is_refused_with_the_option_that_takes_them(
    phone_store: Path, language_model: Callable[[str], Path], tmp_path: Path
) -> None:
    command = ["phoneme", "build-vocabulary", "phones-test", "--model", language_model("tied"), "--store", phone_store]
    refused = stores.cli(*command, "--out", tmp_path / "refused")
    assert refused.returncode == 2 and "to take them: --allow-held-out" in refused.stderr
    assert stores.cli(*command, "--allow-held-out", "--out", tmp_path / "taken").returncode == 0
