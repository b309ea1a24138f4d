"""Tasks, panels, modalities, languages: other spellings become ours, unknown words are refused, wherever they enter."""

from __future__ import annotations

from pathlib import Path

import pytest
import triptych
from support import imported
from support.stores import cli, one, select
from triptych.catalog.schema.lint import check_card
from triptych.errors import UsageError
from triptych.shards.store.store import Store
from triptych.shards.vocabulary import TASKS, UnknownWordError, as_language, as_modality, as_panel, as_task


@pytest.mark.parametrize(
    ("given", "tag"),
    [
        ("EN", "en"), ("eng", "en"), ("English", "en"), (" french ", "fr"), ("français", "fr"), ("ger", "de"),
        ("de_DE", "de-DE"), ("zh_hans_cn", "zh-Hans-CN"), ("cmn_Hans", "cmn-Hans"), ("YUE", "yue"),
        ("es-419", "es-419"), ("Cantonese", "yue"), ("iw", "he"), ("rm-Sursilv", "rm-sursilv"), ("und", "und"),
        ("x-Mine", "x-mine"), ("sv-SE", "sv-SE"), ("en_uk", "en-GB"), ("nan-tw", "nan-TW"),
    ],
)  # fmt: skip
def test_a_language_is_a_bcp_47_tag(given: str, tag: str) -> None:
    assert as_language(given) == tag == as_language(tag)


@pytest.mark.parametrize(
    "given", ["", "xx", "e", "12", "en!", "zh CN", "qq_QQ", "en-", "zh-en", "no language", "x", "lang_id"]
)
def test_any_other_language_is_refused(given: str) -> None:
    with pytest.raises(UnknownWordError, match="BCP 47"):
        as_language(given)


def test_other_words_have_one_spelling_too() -> None:
    assert [as_task(name) for name in ("transcription", "Speech-to-Text", "ASR", "x-own", "Audio_Captioning")] == [
        "asr", "asr", "asr", "x-own", "aac"
    ]  # fmt: skip
    assert all(as_task(task) == task for task in TASKS)
    assert (as_panel("s1"), as_modality("Audio"), as_modality("audio-visual")) == ("S1", "audio", "mixed")
    for wrong, near in (("asrr", "asr"), ("captoning", "captioning"), ("nonsense", None)):
        with pytest.raises(UnknownWordError) as caught:
            as_task(wrong)
        assert caught.value.near == near
    with pytest.raises(UnknownWordError):
        as_panel("S9")


@pytest.mark.parametrize(
    ("field", "value", "hint"),
    [("task", "asrr", "asr"), ("panel", "S9", ""), ("modality", "smell", ""), ("language", "Frenhc", "French (fr)")],
)
def test_a_value_for_every_row_is_refused_with_the_nearest(tmp_path: Path, field: str, value: str, hint: str) -> None:
    table = imported.table(tmp_path / "t.jsonl", [{"text": "a"}])
    words = ["import", "jsonl", table, "--name", "t", "--set", f"{field}={value}", "--store", tmp_path / "store"]
    done = cli(*words)
    assert done.returncode == 2 and f"--set {field}={value}" in done.stderr and hint in done.stderr
    assert not (tmp_path / "store").exists()


def test_cells_become_our_words_or_reject_their_row_with_its_column(tmp_path: Path, store: Store) -> None:
    rows = [
        {"id": "a", "text": "a", "kind": "Question Answering", "lang": "de_DE"},
        {"id": "b", "text": "b", "kind": "asrr", "lang": "en"},
        {"id": "c", "text": "c", "kind": None, "lang": "Klingonish"},
        {"id": "d", "text": "d", "kind": "", "lang": " "},
    ]
    triptych.import_data(
        "jsonl", imported.table(tmp_path / "t.jsonl", rows), name="t", store=store.root, columns={"kind": "task"},
        values={"modality": "text", "target_language": "French"},
    )  # fmt: skip
    assert select(store, "select id, task, language, target_language from samples order by id") == [
        {"id": "t/all/a", "task": "qa", "language": "de-DE", "target_language": "fr"},
        {"id": "t/all/d", "task": None, "language": None, "target_language": "fr"},
    ]
    first, second = select(store, "select reason, detail from events order by detail")
    assert (first["reason"], second["reason"]) == ("bad_value", "bad_value")
    assert "t.jsonl:2: column 'kind'" in first["detail"] and "did you mean asr?" in first["detail"]
    assert "t.jsonl:3: column 'lang'" in second["detail"]
    triptych.annotate("t/all/a", "language", "EN_us", store=store.root)
    assert one(store, "select language from samples where id = 't/all/a'") == "en-US"
    with pytest.raises(UsageError, match="expected one of asr"):
        triptych.annotate("t/all/a", "task", "nonsense", store=store.root)


def test_readers_of_every_kind_and_convert_use_them(tmp_path: Path, store: Store) -> None:
    clip = str(imported.sound(tmp_path / "a.flac", imported.noise(0.1)))
    good = {"audio_filepath": clip, "text": "a", "lang": "English"}
    manifest = imported.table(tmp_path / "n.jsonl", [good, good | {"lang": "nonsense"}])
    done = triptych.import_data("nemo", manifest, name="n", store=store.root)
    assert (done.account.kept, dict(done.account.rejected)) == (1, {"bad_value": 1})
    assert one(store, "select language from samples") == "en"
    for task, written in (("audio captioning", 1), ("nonsense", 0)):
        rows = imported.table(tmp_path / "u.jsonl", [{"audio": clip, "text": "a", "task": task}])
        out = tmp_path / f"{written}.jsonl"
        words = ["convert", "jsonl", rows, out, "--to", "unified"]
        assert cli(*words).returncode == 1 - written


def test_cards_and_list_filters_use_them(tmp_path: Path) -> None:
    assert cli("catalog", "list", "--panel", "S9").returncode == 2
    assert cli("catalog", "list", "--language", "Klingonish").returncode == 2
    assert (
        cli("catalog", "list", "--language", "Chinese", "--task", "transcription", "--json").stdout
        == cli("catalog", "list", "--language", "zh", "--task", "asr", "--json").stdout
    )
    card = Path(triptych.__file__).parent / "catalog/cards/demo-speech.yaml"
    own = tmp_path / "demo-speech.yaml"
    own.write_text(card.read_text().replace("tasks: [asr]", "tasks: [asrr]"))
    [problem] = check_card(own)[0]
    assert f"{own}:" in problem and "tasks" in problem and "did you mean asr?" in problem


def test_your_own_data_takes_no_name_of_the_catalog(tmp_path: Path, store: Store) -> None:
    table = imported.table(tmp_path / "t.jsonl", [{"text": "a"}])
    with pytest.raises(UsageError, match="is a dataset of the catalog") as caught:
        triptych.import_data("jsonl", table, name="librispeech", store=store.root, values={"modality": "text"})
    assert "catalog pull librispeech" in str(caught.value.hint)
