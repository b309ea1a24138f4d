"""`triptych evaluate`: predictions beside an export or a file, matched, scored, compared, written."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.command_line import run
from support.imported import bring_in, read_lines, speech_rows, table
from support.model_server import serve_model
from triptych.errors import UsageError
from triptych.trainers.evaluation.intervals import Resamples
from triptych.trainers.evaluation.scores import Score, Scores

TEXTS = ["The colour of it", "hello world again", "twenty five cats", "don't go", "one more text"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with five utterances of two speakers, exported as a list, as items and as a chat."""
    folder = tmp_path_factory.mktemp("evaluate")
    rows = speech_rows(folder / "sounds", 5, split="test", task="asr")
    for number, (row, text) in enumerate(zip(rows, TEXTS, strict=True)):
        row |= {"text": text, "speaker": f"s{number % 2}", "room": "small" if number else "large"}
    bring_in(folder / "store", "mine", rows, folder, on_conflict="reject")
    for style in ("list", "chat"):
        triptych.export("evaluation", store=folder / "store", style=style, name=style)
    return folder / "store"


@pytest.fixture(scope="module")
def asked(store: Path) -> list[dict[str, Any]]:
    return list(read_lines(triptych.open_export("list", store=store).version.data))


def predicted(asked: list[dict[str, Any]], **changed: str) -> list[dict[str, Any]]:
    """Every reference as a prediction, but for the rows that are named by their end."""
    return [
        {"id": row["id"], "audio": row["audio"], "prediction": changed.get(row["id"][-6:], row["gt"]), "gt": row["gt"]}
        for row in asked
    ]  # fmt: skip


def score_of(scores: Scores, metric: str, **by: str) -> Score:
    [found] = [each for each in scores.scores if each.metric == metric and dict(each.by) == by]
    return found


def test_an_export_is_scored_by_its_own_prompts_and_its_samples(
    store: Path, asked: list[dict[str, Any]], tmp_path: Path
) -> None:
    file = table(tmp_path / "p.jsonl", predicted(asked, utt001="hello word", utt000="the color of it."))
    scores = triptych.evaluate(
        "list", store=store, pred=file, by=["speaker", "extra.room"], group="speaker", out=tmp_path / "o"
    )
    found = score_of(scores, "wer")
    assert (scores.matched_by, scores.missing, scores.extra) == ("id", (), ())
    assert (found.counts, found.rows, found.unit) == (
        {"substitutions": 1, "deletions": 1, "insertions": 0, "units": 15}, 5, "words"
    )  # fmt: skip
    assert found.value == pytest.approx(2 / 15) and found.low is not None and found.low <= found.value
    assert score_of(scores, "wer", speaker="s1").counts["units"] == 6
    assert {row.columns["extra.room"] for row in scores.rows} == {"small", "large"}
    assert Scores.read(tmp_path / "o") == scores
    with pytest.raises(UsageError, match="an evaluation stands there"):
        triptych.evaluate("list", store=store, pred=file, out=tmp_path / "o")


def test_rows_without_a_prediction_are_wrong_and_said(store: Path, asked: list[dict[str, Any]], tmp_path: Path) -> None:
    rows = [*predicted(asked)[:3], {"id": "else", "prediction": "x"}, {"id": asked[3]["id"], "error": "too long"}]
    file = table(tmp_path / "p.jsonl", rows)
    done = run("triptych", "evaluate", "list", "--pred", str(file), "--store", str(store), "--json")
    told = json.loads(done.stdout)
    assert done.code == 1 and told["missing"] == [asked[3]["id"], asked[4]["id"]] and told["extra"] == ["else"]
    [whole] = [each for each in told["scores"] if not each["by"]]
    assert (whole["missing"], whole["counts"]["deletions"], whole["rows"]) == (2, 6, 5)
    told_so = run("triptych", "evaluate", "list", "--pred", str(file), "--store", str(store), "--allow-missing")
    assert told_so.code == 0 and "2 rows have no prediction and count as wrong: mine/test/utt003" in told_so.stdout
    assert "1 prediction is of no row: else" in told_so.stdout


def test_what_qwen2_audios_scripts_write_is_matched_by_clip(
    store: Path, asked: list[dict[str, Any]], tmp_path: Path
) -> None:
    results = [
        {"gt": row["gt"], "response": row["gt"], "source": row["source"], "audio_path": row["audio"]} for row in asked
    ]
    file = tmp_path / "results.json"
    file.write_text(json.dumps(results[::-1]))
    assert triptych.evaluate("list", store=store, pred=file).matched_by == "audio"
    moved = [{**each, "audio_path": "/elsewhere/" + Path(each["audio_path"]).name} for each in results]
    file.write_text(json.dumps(moved))
    scores = triptych.evaluate("list", store=store, pred=file)
    assert scores.matched_by == "audio name" and score_of(scores, "wer").value == 0


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda rows: [*rows, rows[0]], "has a prediction in line 1 already"),
        (lambda rows: [{**rows[0], "gt": "else"}, *rows[1:]], "column gt: made for the reference 'else'"),
        (lambda rows: [{"id": "x", "prediction": "y"}], "no prediction is of a row"),
        (lambda rows: [{"prediction": "y"}], "neither ids nor paths|no ids to match them by"),
        (lambda rows: [{"audio": rows[0]["audio"], "prediction": "y"}] * 2, "has the prediction of line 1 already"),
        (lambda rows: [], "there is no prediction in it"),
    ],
)
def test_predictions_that_do_not_belong_are_refused(
    store: Path, asked: list[dict[str, Any]], tmp_path: Path, change: Any, fault: str
) -> None:
    file = table(tmp_path / "p.jsonl", change(predicted(asked)))
    with pytest.raises(UsageError, match=fault):
        triptych.evaluate("list", store=store, pred=file)


@pytest.mark.parametrize("column", ["answer", "text", "messages"])
def test_predictions_for_another_reference_are_refused_wherever_it_stands(column: str, tmp_path: Path) -> None:
    said = "<think>It barks.</think>A dog."
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": said}]
    row = {"id": "a", column: turns if column == "messages" else said, "task": "qa"}
    gold = table(tmp_path / "gold.jsonl", [row])
    for gt in ("A dog.", said):
        pred = table(tmp_path / "p.jsonl", [{"id": "a", "prediction": "A cat.", "gt": gt}])
        assert triptych.evaluate(pred=pred, gold=gold).scores
    pred = table(tmp_path / "p.jsonl", [{"id": "a", "prediction": "A cat.", "gt": "A cat."}])
    with pytest.raises(UsageError, match=r"p.jsonl:1: column gt: made for the reference 'A cat\.'"):
        triptych.evaluate(pred=pred, gold=gold)


@pytest.mark.parametrize("written", [{"page": "p.jsonl"}, {"page": "g.jsonl"}, {"out": "o"}])
def test_what_is_read_is_never_overwritten(written: dict[str, str], tmp_path: Path) -> None:
    gold = table(tmp_path / "g.jsonl", [{"id": "a", "answer": "x", "task": "qa"}])
    rows = [{"id": "a", "prediction": "x"}]
    (tmp_path / "o").mkdir()
    pred = table(tmp_path / ("o/rows.jsonl" if "out" in written else "p.jsonl"), rows)
    with pytest.raises(UsageError, match="is a file that is read"):
        triptych.evaluate(pred=pred, gold=gold, force=True, **{name: tmp_path / path for name, path in written.items()})
    assert list(read_lines(pred)) == rows


def test_lines_in_another_order_are_told_by_the_texts_beside_them(tmp_path: Path) -> None:
    gold = table(tmp_path / "g.jsonl", [{"text": text, "task": "asr", "language": "en"} for text in ("One.", "Two.")])
    rows = [{"text": text, "pred_text": text} for text in ("one", "two")]
    assert triptych.evaluate(pred=table(tmp_path / "p.jsonl", rows), gold=gold).matched_by == "line"
    with pytest.raises(UsageError, match=r"p.jsonl:1: column text: made for the reference 'two'"):
        triptych.evaluate(pred=table(tmp_path / "p.jsonl", rows[::-1]), gold=gold)


def test_a_model_can_be_asked_now(store: Path, asked: list[dict[str, Any]], tmp_path: Path) -> None:
    with serve_model(lambda heard: "hello world again") as server:
        wanted = {"model": "tiny", "server": server.url, "out": tmp_path / "o"}
        scores = triptych.evaluate("list", store=store, resamples=0, **wanted)  # type: ignore[arg-type]
        assert len(server.asked) == 5 and scores.about["model"] == "tiny" and scores.notes == ()
        assert score_of(scores, "wer").counts["units"] == 15 and scores.missing == ()
        again = triptych.evaluate("list", store=store, resamples=0, force=True, **wanted)  # type: ignore[arg-type]
        assert len(server.asked) == 5 and again == scores
    for given, fault in (({"model": "tiny"}, "name that folder"), ({"pred": "p", "server": "u"}, "needs the name")):
        with pytest.raises(UsageError, match=fault):
            triptych.evaluate("list", store=store, **given)


def test_a_chat_has_no_reference(store: Path, asked: list[dict[str, Any]], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a judge scores the responses"):
        triptych.evaluate("chat", store=store, pred=table(tmp_path / "p.jsonl", predicted(asked)))


def test_two_files_of_predictions_are_compared_row_by_row(tmp_path: Path) -> None:
    gold = table(tmp_path / "gold.jsonl", [
        {"id": n, "text": "a b c d", "language": "en", "source": f"s{n % 2}"} for n in range(40)
    ])  # fmt: skip
    better = table(tmp_path / "a.jsonl", [{"id": n, "prediction": "a b c d" if n % 8 else ""} for n in range(40)])
    worse = table(tmp_path / "b.jsonl", [{"id": n, "prediction": "a b c"} for n in range(40) if n])
    scores = triptych.evaluate(pred=better, gold=gold, against=worse, resamples=200)
    found = score_of(scores, "wer")
    assert found.against is not None and found.against.difference == pytest.approx(20 / 160 - (39 + 4) / 160)
    assert found.against.missing == 1 and found.missing == 0
    assert found.against.low is not None and found.against.low < found.against.difference < (found.against.high or 0)
    same = triptych.evaluate(pred=better, gold=gold, against=better, resamples=50)
    against = score_of(same, "wer", source="s1").against
    assert against is not None and (against.difference, against.low, against.high, against.p) == (0, 0, 0, 1)
    assert scores == triptych.evaluate(pred=better, gold=gold, against=worse, resamples=200)
    assert score_of(triptych.evaluate(pred=better, gold=gold, resamples=0), "wer").low is None


def test_chains_and_answers_are_scored_apart(tmp_path: Path) -> None:
    gold = table(tmp_path / "test.jsonl", [
        {"id": "1", "question": "Mood?", "cot": "the voice is loud and rough", "answer": "angry"},
        {"id": "2", "question": "Who?", "answer": "a man", "choices": ["a man", "a woman"]},
    ])  # fmt: skip
    pred = table(tmp_path / "p.jsonl", [
        {"id": "1", "prediction": "<think>the voice is loud and rough</think>\nangry"},
        {"id": "2", "answer_prediction": "a man", "thinking_prediction": "deep"},
    ])  # fmt: skip
    scores = triptych.evaluate(pred=pred, gold=gold, metrics="accuracy,bleu,rouge")
    assert score_of(scores, "accuracy").value == 1
    chains = [each for each in scores.scores if each.metric == "rouge" and not each.by]
    assert {each.compared: (each.value, each.rows) for each in chains} == {"chain": (1, 1), "answer": (1, 1)}
    assert {each.metric for each in triptych.evaluate(pred=pred, gold=gold).scores} == {"answer", "mmar"}


def test_lines_of_two_text_files(tmp_path: Path) -> None:
    (tmp_path / "preds.txt").write_text("sh iy hh ae\nsil\n")
    (tmp_path / "refs.txt").write_text("sil sh iy hh ae\nsil sil\n")
    files = {"pred": tmp_path / "preds.txt", "gold": tmp_path / "refs.txt"}
    scores = triptych.evaluate(**files, metrics=["position_accuracy", "per"], ignore_sil=True)
    assert score_of(scores, "position_accuracy").counts == {"equal": 0, "positions": 3}
    assert score_of(scores, "per").value == 0
    with pytest.raises(UsageError, match="a line of text does not say what it is"):
        triptych.evaluate(**files)
    with pytest.raises(UsageError, match="the row has no language"):
        triptych.evaluate(**files, metrics="wer")
    (tmp_path / "preds.txt").write_text("sil\n")
    with pytest.raises(UsageError, match="1 predictions for 2 rows"):
        triptych.evaluate(**files, metrics="per")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"id": "1", "question": "x"}, "no answer among the columns id, question"),
        ({"id": "1", "text": "a", "translation": "b"}, "a text and a translation"),
        ({"id": "1", "answer": ["a"]}, "column answer: expected text, got list"),
        ({"id": "1", "answer": 2, "choices": ["a", "b", "c"]}, "column answer: expected text, got int 2"),
        ({"id": "1", "text": "a", "language": "en", "choices": "ab"}, "column choices: expected a list of texts"),
    ],
)
def test_rows_without_an_answer_are_refused(tmp_path: Path, row: dict[str, Any], fault: str) -> None:
    gold, pred = table(tmp_path / "g.jsonl", [row]), table(tmp_path / "p.jsonl", [{"id": "1", "prediction": "x"}])
    with pytest.raises(UsageError, match=fault):
        triptych.evaluate(pred=pred, gold=gold)


def test_a_language_by_any_name_has_its_rules(tmp_path: Path) -> None:
    pred = table(tmp_path / "p.jsonl", [{"id": "1", "prediction": "the colour"}])

    def scored(own: str | None, **options: Any) -> Scores:
        row = {"id": "1", "text": "the color", "language": own}
        return triptych.evaluate(pred=pred, gold=table(tmp_path / "g.jsonl", [row]), **options)

    for language in ("English", "eng", "en_GB"):
        assert score_of(scored(language), "wer").value == 0
    assert score_of(scored(None, language="English"), "wer").value == 0
    assert score_of(scored("fr"), "wer").value == 0.5
    with pytest.raises(UsageError, match=r"g\.jsonl:1: column language: expected a BCP 47 tag"):
        scored("Englisch")
    with pytest.raises(UsageError, match=r"language.*expected a BCP 47 tag"):
        scored(None, language="Englisch")
    with pytest.raises(UsageError, match="there is no task 'spelling'"):
        spelled = table(tmp_path / "s.jsonl", [{"id": "1", "answer": "x", "task": "spelling"}])
        triptych.evaluate(pred=pred, gold=spelled)


def test_files_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    gold = table(tmp_path / "g.jsonl", [{"id": "1", "text": "a", "language": "en"}])
    with pytest.raises(UsageError, match="no prediction of itself"):
        triptych.evaluate(pred=gold, gold=gold)
    pred = table(tmp_path / "p.jsonl", [{"id": "1", "prediction": "a"}])
    with pytest.raises(UsageError, match="a folder is expected"):
        triptych.evaluate(pred=pred, gold=gold, out=pred)
    for given in ({}, {"gold": gold}, {"pred": pred}):
        with pytest.raises(UsageError, match=r"no predictions to evaluate|and not both"):
            triptych.evaluate(**given)  # type: ignore[arg-type]


def test_answers_of_training_rows(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "<think>deep</think>A man."}]
    rows = [
        {"id": "1", "messages": turns}, {"id": "2", "conversations": [{"from": "gpt", "value": "A man"}]},
        {"id": "3", "messages": turns[:1], "solution": "a man"}, {"id": "4", "output": "<think>x</think>a man"},
    ]  # fmt: skip
    pred = table(tmp_path / "p.jsonl", [{"id": str(n), "prediction": "<think>high?</think>a man"} for n in range(1, 5)])
    scores = triptych.evaluate(pred=pred, gold=table(tmp_path / "g.jsonl", rows))
    assert score_of(scores, "answer").counts == {"correct": 4, "rows": 4}


def test_published_scores_stand_beside_ours(tmp_path: Path) -> None:
    asr = "Detect the language and recognize the speech: <|en|>"
    s2tt = "Detect the language and translate the speech into Mandarin: <|en|>"
    rows = [
        {"id": "1", "audio": "/1.flac", "prompt": asr, "gt": "a b c d", "source": "librispeech_test_clean"},
        {"id": "2", "audio": "/2.flac", "prompt": s2tt, "gt": "今天天气很好", "source": "covost2_en_zh_test"},
        {"id": "3", "audio": "/3.flac", "prompt": "Recognize the emotion with keywords in English:", "gt": "joy",
         "source": "meld_test"},
        {"id": "4", "audio": "/4.flac", "prompt": asr, "gt": "x", "source": "meld_train"},
        {"id": "5", "audio": "/5.flac", "prompt": asr.replace("en", "zh"), "gt": "x", "source": "fleurs_zh_dev"},
    ]  # fmt: skip
    said = ["a b c", "今天天气真好", " joy", "x", "x"]
    pred = table(
        tmp_path / "p.jsonl", [{"id": row["id"], "prediction": text} for row, text in zip(rows, said, strict=True)]
    )
    vllm = table(tmp_path / "v.jsonl", [{"id": "1", "prediction": "a b c d"}])
    gold = table(tmp_path / "g.jsonl", rows)
    scores = triptych.evaluate(pred=pred, gold=gold, table="qwen2-audio", vllm=vllm)
    told = {each.data_set: each for each in scores.table}
    assert list(told) == ["LibriSpeech", "CoVoST2", "MELD"]
    clean = told["LibriSpeech"]
    assert (clean.published["paper"], clean.published["converted"], clean.published_rows) == (1.6, 1.7, 2611)
    assert clean.scores == {"ours": 25.0, "vllm": 0.0} and clean.counts["ours"]["deletions"] == 1
    assert told["CoVoST2"].scores["ours"] == pytest.approx(53.7285, abs=1e-4)
    assert told["MELD"].scores == {"ours": 1.0, "vllm": 0.0} and told["MELD"].counts["vllm"]["missing"] == 1
    shown = run("triptych", "evaluate", "--pred", str(pred), "--gold", str(gold), "--table", "qwen2-audio").stdout
    assert "1.70" in shown and "25.00" in shown and "ours: 0 substitutions, 1 deletions, 0 insertions, 4 units" in shown


def test_intervals_draw_rows_or_groups() -> None:
    import numpy as np

    counts = np.array([[n % 2, 1] for n in range(400)], dtype=float)
    ways = Resamples(500, 95.0, 1)
    low, high = ways.interval([one / all for one, all in ways.sums(counts).tolist()])
    assert low is not None and high is not None
    spread = 1.96 * math.sqrt(0.25 / 400)
    assert low == pytest.approx(0.5 - spread, abs=0.015) and high == pytest.approx(0.5 + spread, abs=0.015)
    # All rows of a group are equal: the interval is that of ten draws.
    grouped = ways.sums(np.array([[n // 40 % 2, 1] for n in range(400)], dtype=float), [n // 40 for n in range(400)])
    wide_low, wide_high = ways.interval([one / all for one, all in grouped.tolist()])
    assert wide_low is not None and wide_high is not None and wide_high - wide_low > 2.5 * (high - low)
    assert ways.sums(counts, ["one"] * 400) is None
