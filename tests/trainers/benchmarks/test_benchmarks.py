"""Benchmarks from their samples to their scores: by their own rules, judged by a server, kept, submitted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.command_line import run
from support.imported import read_lines, table
from support.model_server import Heard, ModelServer, serve_model, slowly
from support.natives import json_bytes, json_lines, unpacked, wavs
from triptych.errors import GateError, NetworkError, UsageError
from triptych.trainers.benchmarks import airbench, rubrics
from triptych.trainers.benchmarks.cases import NoJudgementError
from triptych.trainers.evaluation.scores import Score, Scores
from triptych.validators.formats import summarise_file

POINTS = [
    {"name": f"Point {number}", "scoring_point": "Award 1 point.", "note": "n", "choices": [0, 1]}
    for number in range(5)
]
SAID = {"a_00-01": "<think>It is {n} loud.</think>Too much", "b_00-02": "<think>x</think>Too little",
        "c_00-03": "Too much"}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three items of MMAR with rubrics and five of AIR-Bench chat, by their cards."""
    folder = tmp_path_factory.mktemp("benchmarks")
    asked = {"question": "How loud?", "choices": ["Too little", "Too much"], "answer": "Too much"}
    layers = ["Signal Layer", "Semantic Layer", "Semantic Layer"]
    mmar = [
        {"id": id, "audio_path": f"./audio/{id}.wav", **asked, "thinking": "He laughs.", "rubric": POINTS,
         "modality": "speech", "category": layer, "sub-category": "Content Analysis", "language": "en"}
        for id, layer in zip(SAID, layers, strict=True)
    ]  # fmt: skip
    tasks = ["speech_QA", "sound_QA", "music_QA", "speech_and_sound_QA", "speech_and_music_QA"]
    chat = [
        {"uniq_id": f"q{n}", "path": f"{n}.wav", "question": f"What is {n}?", "answer_gt": f"Right {n}.",
         "meta_info": f"Sound {n}.", "task_name": task, "dataset_name": "set"}
        for n, task in enumerate(tasks)
    ]  # fmt: skip
    sounds = wavs(5, seconds=0.1)
    trees: dict[str, dict[str, bytes]] = {
        "mmar": {"MMAR-meta.jsonl": json_lines(mmar),
                 **{f"audio/{row['id']}.wav": sounds[n] for n, row in enumerate(mmar)}},
        "air_bench_chat": {"Chat/Chat_meta.json": json_bytes(chat),
                           **{f"Chat/{task}_set/{n}.wav": sounds[n] for n, task in enumerate(tasks)}},
    }  # fmt: skip
    for name, tree in trees.items():
        taken(name, folder, tree, style="chat" if name == "air_bench_chat" else "items")
    return folder / "store"


def taken(name: str, folder: Path, tree: dict[str, bytes], *, style: str = "items", **options: Any) -> Path:
    """From the files of a benchmark to its list; returns the store."""
    store = folder / "store"
    triptych.pull(name, store=store, from_path=unpacked(folder / name, tree), **options)
    triptych.export("evaluation", store=store, style=style, name=name, dataset=[name])
    return store


def ids(store: Path, export: str) -> list[str]:
    return [row["id"] for row in read_lines(triptych.open_export(export, store=store).version.data)]


@pytest.fixture
def answers(store: Path, tmp_path: Path) -> Path:
    """What a model answered to the items of MMAR: one right, one wrong, one right without a chain."""
    rows = [{"id": id, "prediction": SAID[id.rpartition("/")[2]]} for id in ids(store, "mmar")]
    return table(tmp_path / "answers.jsonl", rows)


@pytest.fixture
def responses(store: Path, tmp_path: Path) -> Path:
    rows = [{"id": id, "prediction": f"Response {n}."} for n, id in enumerate(ids(store, "air_bench_chat"))]
    return table(tmp_path / "responses.jsonl", rows)


def by_rule(heard: Heard) -> dict[str, Any]:
    """A judge: the longer chain has more points; of two answers, the first has 7 and the second 5."""
    if "[Answer of assistant 1]" in heard.text:
        said = "7 5\n"
    else:
        given = [{"name": point["name"], "score": int("loud" in heard.text.rpartition("## What is judged")[2])}
                 for point in POINTS]  # fmt: skip
        said = f"Here it is:\n{json.dumps(given)}"
    return {"choices": [{"message": {"content": said}}], "usage": {"prompt_tokens": 100, "completion_tokens": 7}}


@pytest.fixture
def judge() -> Iterator[ModelServer]:
    with serve_model(by_rule, ("judge",)) as running:
        yield running


def judged(store: Path, export: str, pred: Path, judge: ModelServer, **options: Any) -> Scores:
    wanted = {"judge": judge.url, "judge_model": "judge", "judge_retries": 1, "resamples": 0, **options}
    return triptych.evaluate(export, store=store, pred=pred, **wanted)


def score_of(scores: Scores, metric: str, **by: str) -> Score:
    [found] = [each for each in scores.scores if each.metric == metric and dict(each.by) == by]
    return found


def test_benchmarks_are_scored_by_their_own_rules_and_columns(store: Path, answers: Path, tmp_path: Path) -> None:
    rows = [*read_lines(answers)][:2]
    scores = triptych.evaluate("mmar", store=store, pred=table(tmp_path / "p.jsonl", rows), resamples=0)
    assert score_of(scores, "mmar").counts == {"correct": 1, "rows": 3}
    assert {tuple(each.by) for each in scores.scores} == {
        (),
        ("source",),
        ("modality",),
        ("category",),
        ("sub-category",),
    }
    assert score_of(scores, "mmar", category="Semantic Layer").counts == {"correct": 0, "rows": 2}
    assert scores.notes[-1] == (
        "MMAR: its script leaves out 1 row without an answer, and prints 1 of 2 right, 50.00%; here they are wrong"
    )
    gold = table(tmp_path / "mmsu.jsonl", [
        {"id": n, "source": "mmsu", "choices": ["Too little", "Too much"], "answer_gt": "Too much", "category": kind}
        for n, kind in enumerate(["Perception", "Reasoning"])
    ])  # fmt: skip
    said = table(tmp_path / "s.jsonl", [{"id": 0, "response": "B"}, {"id": 1, "response": "Too much"}])
    scores = triptych.evaluate(gold=gold, pred=said, resamples=0)
    assert score_of(scores, "mmsu").counts == {"correct": 1, "rows": 2, "without_letter": 1}
    assert score_of(scores, "answer").counts["correct"] == 2
    assert score_of(scores, "mmsu", category="Perception").value == 1
    assert "in whose answers it finds no letter, and prints 1 of 1 right" in scores.notes[-1]


@pytest.mark.thorough
def test_mmsu_and_mmau_from_their_files_to_their_scores(tmp_path: Path) -> None:
    asked = {"question": "How loud?", "choices": ["Too little", "Too much"], "answer": "Too much"}
    sounds = wavs(2, seconds=0.1)
    mmsu = [
        {"id": f"m{n}", "audio_path": f"/audio/m{n}.wav", "question": "How loud?", "choice_a": "Too little",
         "choice_b": "Too much", "choice_c": None, "choice_d": None, "answer_gt": "Too much", "task_name": "age",
         "category": kind, "sub-category": "Traits", "sub-sub-category": "x", "linguistics_sub_discipline": "x"}
        for n, kind in enumerate(["Perception", "Reasoning"])
    ]  # fmt: skip
    mmau = [
        {"id": f"u{n}", "audio_id": f"./test-mini-audios/u{n}.wav", **asked, "task": "sound", "category": "Reasoning",
         "sub-category": "Order", "difficulty": hard, "split": "test-mini"}
        for n, hard in enumerate(["easy", "hard"])
    ]  # fmt: skip
    tree = {"question/mmsu.jsonl": json_lines(mmsu), "audio/m0.wav": sounds[0], "audio/m1.wav": sounds[1]}
    store = taken("mmsu", tmp_path, tree)
    said = [{"id": id, "prediction": text} for id, text in zip(ids(store, "mmsu"), ("B", "A"), strict=True)]
    scores = triptych.evaluate("mmsu", store=store, pred=table(tmp_path / "s.jsonl", said), resamples=0)
    assert score_of(scores, "mmsu", **{"sub-category": "Traits"}).counts["correct"] == 1
    assert score_of(scores, "answer", category="Perception").value == 1
    tree = {"mmau-test-mini.json": json_bytes(mmau), "test-mini-audios/u0.wav": sounds[0],
            "test-mini-audios/u1.wav": sounds[1]}  # fmt: skip
    taken("mmau", tmp_path, tree, config="original")
    said = [{"id": id, "prediction": "Too much"} for id in ids(store, "mmau")]
    scores = triptych.evaluate("mmau", store=store, pred=table(tmp_path / "u.jsonl", said), resamples=0)
    assert score_of(scores, "mmar", modality="sound").value == score_of(scores, "mmar", difficulty="hard").value == 1


def test_rubrics_are_rated_five_times_and_only_for_right_answers(
    store: Path, answers: Path, judge: ModelServer, tmp_path: Path
) -> None:
    scores = judged(store, "mmar", answers, judge, out=tmp_path / "o")
    assert score_of(scores, "mmar").counts["correct"] == 2
    found = score_of(scores, "rubrics")
    assert found.value == pytest.approx(100 / 3) and found.counts == {
        "points": 1, "evaluated": 3, "correct": 2, "not_evaluated": 0
    }  # fmt: skip
    assert len(judge.asked) == 10 and {(each.body["temperature"], each.body["seed"]) for each in judge.asked} == {
        (0, 42)
    }
    sent = next(each.text for each in judge.asked if "It is {n} loud." in each.text)
    for told in ("How loud?", "Right answer: Too much", "He laughs.", "### Point 4", "The answer is Too much."):
        assert told in sent
    assert scores.about["judge"] | {"server": None} == {
        "model": "judge", "server": None, "rows": 2, "asked": 10, "prompt_tokens": 1000, "completion_tokens": 70
    }  # fmt: skip
    again = judged(store, "mmar", answers, judge, out=tmp_path / "o", force=True)
    assert len(judge.asked) == 10 and again.scores == scores.scores and again.about["judge"]["asked"] == 0
    kept = triptych.evaluate(
        "mmar",
        store=store,
        pred=answers,
        resamples=0,
        judgements=tmp_path / "o" / "judgements.jsonl",
        judge_model="judge",
    )
    assert kept.scores == scores.scores and Scores.read(tmp_path / "o") == again


def test_a_response_is_judged_before_and_after_the_reference(
    store: Path, responses: Path, judge: ModelServer, tmp_path: Path
) -> None:
    scores = judged(store, "air_bench_chat", responses, judge, judgements=tmp_path / "j.jsonl")
    found = score_of(scores, "airbench")
    assert found.value == 6 and found.counts["reference_points"] == 6 * 5 and found.counts["better_than_reference"] == 0
    first = [each.text for each in judge.asked if "Response 3." in each.text]
    assert len(first) == 2 and {each.index("Response 3.") < each.index("Right 3.") for each in first} == {True, False}
    assert all("Sound 3." in each and "What is 3?" in each for each in first)
    assert score_of(scores, "airbench", kind="speech_and_sound").value == 6
    assert scores.notes[-1].endswith("6.00; average of the four kinds: 6.00")
    one = table(tmp_path / "one.jsonl", [*read_lines(responses)][:1])
    fewer = judged(store, "air_bench_chat", one, judge, judgements=tmp_path / "j.jsonl")
    assert score_of(fewer, "airbench").value == pytest.approx(6 / 5) and len(judge.asked) == 10
    assert "leaves out 4 rows without an answer, and prints 6.00 over 1 row; here they have 0" in fewer.notes[-2]
    beside = judged(
        store,
        "air_bench_chat",
        responses,
        judge,
        judgements=tmp_path / "j.jsonl",
        transformers=one,
        table="qwen2-audio",
    )
    lines = {each.split: each for each in beside.table}
    assert list(lines) == ["speech", "sound", "music", "mixed audio"] and len(judge.asked) == 10
    assert lines["speech"].scores == {"ours": 6, "transformers": 6} and lines["speech"].published["paper"] == 7.18
    assert lines["mixed audio"].scores == {"ours": 6, "transformers": 0}
    assert lines["mixed audio"].counts["transformers"]["missing"] == 2


JUNK: list[list[Any]] = [
    ["7", "7 5 3", "seven five", "11 5", "7.5 5"],
    ["", "7 -5", {"choices": []}, {"choices": [{"message": {"content": None}}]}, {"no": 1}],
]


@pytest.mark.parametrize("junk", JUNK)
def test_a_judge_that_writes_something_else_leaves_the_row_unevaluated(
    store: Path, responses: Path, tmp_path: Path, junk: list[Any]
) -> None:
    def some_junk(heard: Heard) -> Any:
        return next((said for n, said in enumerate(junk) if n and f"Response {n}." in heard.text), by_rule(heard))

    with serve_model(some_junk, ("judge",)) as server:
        if junk is JUNK[0]:
            told = run("triptych", "evaluate", "air_bench_chat", "--store", str(store), "--pred", str(responses),
                       "--judge", server.url, "--judge-model", "judge", "--judge-retries", "0",
                       "--judgements", str(tmp_path / "j.jsonl"), "--table", "qwen2-audio")  # fmt: skip
            assert told.code == 1 and "4 rows are not evaluated" in told.stdout, told.stderr
            assert "AIR-Bench" in told.stdout and "ours: 0 evaluated, 1 not evaluated" in told.stdout
        scores = judged(store, "air_bench_chat", responses, server, judgements=tmp_path / "j.jsonl")
    found = score_of(scores, "airbench")
    assert found.value == 6 and (found.counts["evaluated"], found.counts["not_evaluated"]) == (1, 4)
    assert [each.partition(":")[0][-1] for each in scores.not_evaluated] == [*"1234"]
    with serve_model(by_rule, ("judge",)) as server:
        scores = judged(store, "air_bench_chat", responses, server, judgements=tmp_path / "j.jsonl")
        assert len(server.asked) == 8 and not scores.not_evaluated
    assert score_of(scores, "airbench").counts["evaluated"] == 5


def test_a_failing_judge_is_asked_again_and_what_it_gave_is_kept(
    store: Path, responses: Path, judge: ModelServer, tmp_path: Path
) -> None:
    kept = tmp_path / "j.jsonl"
    judge.fail(429, retry_after="0")
    judge.fail(400, message="too long")
    wanted = {"judgements": kept, "judge_concurrency": 1}
    scores = judged(store, "air_bench_chat", responses, judge, **wanted)
    assert scores.not_evaluated == ("air_bench_chat/test/q0: refused: HTTP 400: too long",)
    with kept.open("ab") as file:
        file.write(b'{"id": "cut o')
    judge.fail(503, retry_after="0", times=None)
    other = table(tmp_path / "other.jsonl", [{"id": id, "prediction": "Else."} for id in ids(store, "air_bench_chat")])
    with pytest.raises(NetworkError, match="HTTP 503"):
        judged(store, "air_bench_chat", other, judge, judge_retries=0, **wanted)
    judge.failures.clear()
    judge.asked.clear()
    assert not judged(store, "air_bench_chat", responses, judge, **wanted).not_evaluated and len(judge.asked) == 2
    judge.key = "secret"
    with pytest.raises(GateError, match="refuses the key"):
        judged(store, "air_bench_chat", other, judge, judge_retries=0, **wanted)
    with (
        serve_model(slowly(0.6, by_rule), ("judge",)) as slow,
        pytest.raises(NetworkError, match="Timeout"),
    ):
        judged(store, "air_bench_chat", other, slow, judge_timeout=0.05, judge_retries=0, **wanted)


def test_ratings_are_valid_only_in_number_and_value() -> None:
    def rated(*scores: Any) -> float:
        return rubrics.rating(json.dumps([{"name": "x", "score": score} for score in scores]), POINTS)

    assert rated(1, 0, 1, 1, 0) == 0.6 and rated(1.0, 0, 0, 0, 0) == 0.2
    for scores in ((1, 1, 1, 1), (1, 1, 1, 1, 2), (1, 1, 1, 1, "1"), (1, 1, 1, 1, True), (1, 1, 1, 1, 0.5)):
        with pytest.raises(NoJudgementError):
            rated(*scores)
    for said in ("", "[]", "no", '{"name": "x", "score": 1}', "[1, 1, 1, 1, 1]"):
        with pytest.raises(NoJudgementError):
            rubrics.rating(said, POINTS)
    case = airbench.case(
        "1",
        description="d",
        question="{first}",
        reference="same",
        response="same",
        model="m",
        prompt=None,
        temperature=None,
    )
    assert [call.read("9 3") for call in case.calls] == [(3, 9), (9, 3)] and "{first}" in str(case.calls[0].body)


def test_a_submission_is_written_checked_and_scored_again(store: Path, answers: Path, tmp_path: Path) -> None:
    file = tmp_path / "submission.jsonl"
    rows = [*read_lines(answers)][:2]
    told = run("triptych", "evaluate", "mmar", "--store", str(store), "--pred", str(table(tmp_path / "p.jsonl", rows)),
               "--submission", str(file), "--allow-missing")  # fmt: skip
    assert told.code == 0 and "2 rows to submit" in told.stdout, told.stderr
    assert [*read_lines(file)] == [
        {"id": "a_00-01", "thinking_prediction": "It is {n} loud.", "answer_prediction": "Too much"},
        {"id": "b_00-02", "thinking_prediction": "x", "answer_prediction": "Too little"},
    ]
    assert not summarise_file(file, "challenge").counts
    scores = triptych.evaluate("mmar", store=store, pred=file, resamples=0)
    assert (scores.matched_by, scores.missing) == ("id in the corpus", ("mmar/test/c_00-03",))
    assert score_of(scores, "mmar").counts == {"correct": 1, "rows": 3}
    with pytest.raises(UsageError, match="it is there already"):
        triptych.evaluate("mmar", store=store, pred=file, submission=file)


def test_the_benchmarks_own_file_says_what_is_right(judge: ModelServer, answers: Path, tmp_path: Path) -> None:
    meta = table(tmp_path / "MMAR-meta.jsonl", [
        {"id": "a", "question": "Q", "choices": ["Yes", "No"], "answer": "Yes", "thinking": "t", "rubric": POINTS}
    ])  # fmt: skip
    row = {"id": "a", "thinking_prediction": "loud", "answer_prediction": "yes"}
    other = {"id": "a", "thinking_prediction": "quiet", "answer_prediction": "yes"}
    scores = triptych.evaluate(
        gold=meta, pred=table(tmp_path / "1.jsonl", [row]), against=table(tmp_path / "2.jsonl", [other]), resamples=0,
        judge=judge.url, judge_model="judge", out=tmp_path / "o",
    )  # fmt: skip
    found = score_of(scores, "rubrics")
    assert found.value == 100 and found.against is not None and found.against.value == 0


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"judge": "http://localhost:1/v1", "judge_model": "m"}, "keeps every judgement in a file"),
        ({"judge": "localhost", "judge_model": "m"}, "expected a URL"),
        ({"judge": "http://localhost:1/v1"}, "scores are of one judge"),
        ({"judge_model": "m"}, "needs judge=URL"),
        ({"metrics": "rubrics"}, "a judge gives it"),
    ],
)
def test_a_judge_is_named_in_full(store: Path, answers: Path, options: dict[str, Any], fault: str) -> None:
    with pytest.raises(UsageError, match=re.escape(fault)):
        triptych.evaluate("mmar", store=store, pred=answers, **options)


def test_what_a_judge_must_know_is_asked_for(
    store: Path, answers: Path, responses: Path, judge: ModelServer, tmp_path: Path
) -> None:
    kept = tmp_path / "j.jsonl"
    bare = table(tmp_path / "bare.jsonl", [{"id": 1, "choices": ["Yes", "No"], "answer": "Yes"}])
    said = table(tmp_path / "s.jsonl", [{"id": 1, "prediction": "Yes"}])
    wanted = {"gold": bare, "pred": said, "judge": judge.url, "judge_model": "judge", "judgements": kept}
    for more, fault in (({}, "no row is judged"), ({"metrics": "rubrics"}, "the row has no rubric")):
        with pytest.raises(UsageError, match=fault):
            triptych.evaluate(**wanted, **more)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="has judge"):
        judged(store, "mmar", answers, judge, judgements=kept, judge_model="other")
    with pytest.raises(UsageError, match="it is no judgement"):
        judged(store, "mmar", answers, judge, judgements=answers)
    words = tmp_path / "prompt.txt"
    words.write_text("Sound: {description} Q {question} 1 {first} 2 {second}")
    judged(store, "air_bench_chat", responses, judge, judgements=kept, judge_prompt=words)
    assert "Sound: Sound 0. Q What is 0? 1 Right 0. 2 Response 0." in [each.text for each in judge.asked]
    words.write_text("{first} {other}")
    with pytest.raises(UsageError, match=r"no field \{other\}"):
        judged(store, "air_bench_chat", responses, judge, judgements=kept, judge_prompt=words)
