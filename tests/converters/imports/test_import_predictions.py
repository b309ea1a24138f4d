"""A model's own answers onto stored samples: those that are wrong enough make pairs, and all others are counted."""

from __future__ import annotations

from pathlib import Path

import pytest
import triptych
from support.imported import bring_in, noise, read_lines, sound, table
from support.stores import check_accounts, cli, select
from triptych.errors import UsageError

TEXT = "the cat sat on the mat today or not"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("predicted")
    clip = {"audio": str(sound(folder / "clip.flac", noise(0.1)))}
    heard = [{"id": name, "text": TEXT, "task": "asr", "language": "en"} for name in ("bad", "near", "right", "mute")]
    rows = [
        *heard,
        {"id": "han", "text": "今天天气很好", "task": "asr", "language": "zh"},
        {"id": "asked", "task": "qa", "question": "Which?", "answer": "A dog.", "reasoning": "It barks."},
        {"id": "talk", "messages": [{"role": "user", "content": "<audio>Q"}, {"role": "assistant", "content": "Yes."}]},
        {"id": "pair", "task": "qa", "question": "Which?", "answer": "A dog.", "rejected": "A cat."},
        {"id": "blank", "task": "asr"},
        {"id": "bark", "task": "aac", "language": "en", "captions": ["A dog barks.", "A dog is barking."]},
    ]
    return bring_in(folder / "store", "mine", [{**clip, **row} for row in rows], folder)


def test_wrong_predictions_make_pairs_and_the_others_are_counted(store: Path, tmp_path: Path) -> None:
    said = {
        "bad": "a hat sat on a map today or not", "near": "the cat sat on the mat today or nought",
        "right": "The cat sat, on the mat today, or not!", "mute": "  ", "han": "今天天汽很好",
        "asked": "<think>It meows.</think>A cat.", "talk": "No.", "pair": "A cow.", "blank": "hello", "lost": "hello",
        "bark": "a dog is barking",
    }  # fmt: skip
    rows = [{"id": f"mine/all/{name}", "prediction": text} for name, text in said.items()]
    rows += [{"id": "mine/all/bad", "prediction": "another"}, {"prediction": "whose"}]
    file = table(tmp_path / "predictions.jsonl", rows)
    options = {"name": "mine", "store": store, "meant_as": "rejected", "min_wer": 0.15, "producer": "qwen2-audio"}
    account = triptych.import_data("predictions", file, **options).account
    assert account.kept == 4 and dict(account.dropped) == {
        "too_good": 1, "same_answers": 2, "empty_prediction": 1, "has_pair": 1, "no_answer": 1, "no_sample": 1,
        "repeated_id": 1, "no_id": 1,
    }  # fmt: skip
    again = triptych.import_data("predictions", file, **options).account
    assert again.kept == 0 and again.dropped["duplicate"] == 4
    check_accounts(store)
    [event] = select(store, "SELECT detail FROM events WHERE reason = 'too_good'")
    assert event == {"detail": "its error rate is 0.111, lower than 0.15"}
    written = select(store, "SELECT id, key, value, producer FROM annotations ORDER BY id")
    assert [row["id"].removeprefix("mine/all/") for row in written] == ["asked", "bad", "han", "talk"]
    assert {(row["key"], row["producer"]) for row in written} == {("rejected", "qwen2-audio")}
    result = triptych.export("msswift", task="dpo", store=store)
    pairs = {row["id"].removeprefix("mine/all/"): row for row in read_lines(result.version.data)}
    assert pairs.keys() == {"asked", "bad", "han", "talk", "pair"}
    assert pairs["bad"]["messages"][-1]["content"] == TEXT and pairs["bad"]["rejected_response"] == said["bad"]
    assert pairs["asked"]["messages"][-1]["content"] == "<think>It barks.</think>A dog."
    assert pairs["asked"]["rejected_response"] == said["asked"]


def test_tables_with_other_names_and_requests_that_say_too_little(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "predictions.csv"
    file.write_text("id,hypothesis\nmine/all/near,nothing of it\n")
    line = ("import", "predictions", file, "--name", "mine", "--as", "rejected", "--store", store)
    done = cli(*map(str, line))
    assert done.returncode == 0, done.stderr
    [row] = select(store, "SELECT rejected FROM samples WHERE id = 'mine/all/near'")
    assert row == {"rejected": "nothing of it"}
    for wrong, said in [
        ({"name": "mine"}, "must be told what they are"),
        ({"name": "other", "meant_as": "rejected"}, "the store has no samples"),
    ]:
        with pytest.raises(UsageError, match=said):
            triptych.import_data("predictions", file, store=store, **wrong)
    file.write_text("id,words\nmine/all/near,x\n")
    with pytest.raises(UsageError, match="need the columns `id` and `prediction`, not id, words"):
        triptych.import_data("predictions", file, name="mine", meant_as="rejected", store=store)
    file.write_text("id,text,output\nmine/all/near,what is right,x\n")
    with pytest.raises(UsageError, match="is the prediction in text or in output"):
        triptych.import_data("predictions", file, name="mine", meant_as="rejected", store=store)
