"""Runs of inference: what files hold, what is continued and what is not, votes, and answers made elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import triptych
from support.imported import bring_in, noise, read_lines, sound, table
from support.model_server import Heard, ModelServer, serve_model
from support.stores import cli, cli_json
from triptych.errors import UsageError
from triptych.shards.media.streams import MediaError
from triptych.trainers.data.sound import read_sound
from triptych.trainers.evaluation.predictions import PredictionLog, read_predictions


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serve_model(lambda heard: heard.text[-9:]) as running:
        yield running


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asked")
    clip = str(sound(folder / "clip.flac", noise(0.2)))
    said = [{"id": f"u{n}", "audio": clip, "text": f"number {n}", "task": "asr", "language": "en"} for n in range(3)]
    asked = {"id": "q", "audio": clip, "question": "Which?", "choices": ["A dog", "A cat"], "answer": "A cat",
             "task": "qa"}  # fmt: skip
    bring_in(folder / "store", "speech", said, folder)
    bring_in(folder / "store", "animals", [asked], folder)
    triptych.export("evaluation", dataset="speech", name="speech", store=folder / "store")
    for style in ("items", "chat"):
        triptych.export("evaluation", style=style, dataset="animals", name=style, store=folder / "store")
    triptych.export("msswift", task="sft", dataset="animals", name="talks", store=folder / "store")
    return folder / "store"


def test_an_export_is_asked_and_its_rows_keep_where_they_come_from(
    store: Path, server: ModelServer, tmp_path: Path
) -> None:
    out = tmp_path / "p.jsonl"
    result = triptych.infer("speech", store=store, model="tiny", server=server.url, out=out)
    version = triptych.open_export("speech", store=store)
    assert result.passed and result.counts.rows == 3
    rows = list(read_lines(out))
    assert [row["id"] for row in rows] == [row["id"] for row in version.rows()]
    assert rows[0] | {"asked": None} == {
        "id": rows[0]["id"], "audio": rows[0]["audio"], "prediction": "h: <|en|>", "source": rows[0]["source"],
        "gt": "number 0", "model": "tiny", "backend": "openai", "server": server.url,
        "decoding": {"temperature": 0.0, "max_new_tokens": 1024}, "export": "speech@v1",
        "export_sha256": version.content_sha256, "seconds": 0.2, "asked": None,
    }  # fmt: skip
    assert [row.prediction for row in read_predictions(out)] == ["h: <|en|>"] * 3


@pytest.mark.parametrize("name", ["items", "chat", "talks"])
def test_every_export_with_a_question_can_be_asked(name: str, store: Path, server: ModelServer, tmp_path: Path) -> None:
    triptych.infer(name, store=store, model="tiny", server=server.url, out=tmp_path / "p.jsonl")
    [heard] = server.asked
    assert heard.text == "Which?\nChoose one of these options:\n- A dog\n- A cat" and len(heard.sounds) == 1
    [row] = read_lines(tmp_path / "p.jsonl")
    assert row.get("gt") == (None if name == "chat" else "A cat")


def test_a_local_model_is_continued_batch_by_batch_with_the_same_file(
    qwen2_audio: Path, clips: Callable[[float], Path], tmp_path: Path
) -> None:
    rows = [{"audio": str(clips(0.1 + n / 10)), "prompt": f"{n}?"} for n in range(5)]
    prompts = table(tmp_path / "prompts.jsonl", rows)
    options = {"model": qwen2_audio, "batch_size": 2, "max_new_tokens": 3, "temperature": 1.2}
    whole = triptych.infer(prompts, **options, out=tmp_path / "whole.jsonl")
    assert whole.answered == 5 and whole.counts.truncated == 5

    def stop(done: int, of: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        triptych.infer(prompts, **options, out=tmp_path / "o.jsonl", progress=stop)
    assert len(list(read_lines(tmp_path / "o.jsonl.partial"))) == 2
    assert triptych.infer(prompts, **options, out=tmp_path / "o.jsonl", limit=3).continued == 2
    assert len(list(read_lines(tmp_path / "o.jsonl"))) == 3
    assert triptych.infer(prompts, **options, out=tmp_path / "o.jsonl").continued == 3
    assert (tmp_path / "o.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    [first, *_] = read_lines(tmp_path / "o.jsonl")
    assert first["decoding"]["template"] == "chat" and first["revision"].startswith("sha256:")


def test_what_was_made_in_another_way_is_not_continued(server: ModelServer, tmp_path: Path) -> None:
    prompts = table(tmp_path / "p.jsonl", [{"id": "a", "prompt": "one?"}, {"id": "b", "prompt": "two?"}])
    out = tmp_path / "o.jsonl"
    options: dict[str, Any] = {"model": "tiny", "server": server.url, "out": out}
    triptych.infer(prompts, **options)
    for change, told in (({"system": "Be brief."}, "system=nothing, now Be brief."),
                         ({"stop": "x"}, r"stop=nothing, now \['x'\]")):  # fmt: skip
        with pytest.raises(UsageError, match=f"o.jsonl was made with {told}") as caught:
            triptych.infer(prompts, **options, **change)
        assert caught.value.hint == "choose another --out, or --force to begin anew"
    others = table(tmp_path / "others.jsonl", [{"id": "c", "prompt": "three?"}])
    with pytest.raises(UsageError, match=r"o.jsonl:1: 'a' is none of the rows that are asked"):
        triptych.infer(others, **options)
    table(tmp_path / "p.jsonl", [{"id": "a", "prompt": "one?"}, {"id": "b", "prompt": "two, now?"}])
    again = triptych.infer(prompts, **options)
    assert (again.answered, again.continued) == (1, 1)
    assert [row["prediction"] for row in read_lines(out)] == ["one?", "two, now?"]
    assert triptych.infer(others, **options, force=True).answered == 1
    assert [path.name for path in sorted(tmp_path.glob("o.jsonl*"))] == ["o.jsonl"]


def test_a_clip_whose_content_changed_is_asked_again(server: ModelServer, tmp_path: Path) -> None:
    clip = sound(tmp_path / "clip.wav", noise(0.1))
    options: dict[str, Any] = {"model": "tiny", "server": server.url, "out": tmp_path / "o.jsonl", "prompt": "?"}
    triptych.infer(audio=clip, **options)
    size = clip.stat().st_size
    sound(clip, -noise(0.1))
    assert clip.stat().st_size == size and triptych.infer(audio=clip, **options).answered == 1
    clip.touch()
    assert triptych.infer(audio=clip, **options).continued == 1


def test_neither_an_input_nor_the_file_of_another_run_is_overwritten(server: ModelServer, tmp_path: Path) -> None:
    row = {"id": "a", "prompt": "?", "audio": str(sound(tmp_path / "clip.wav", noise(0.1)))}
    prompts = table(tmp_path / "p.jsonl", [row])
    for out in ("p.jsonl", "clip.wav"):
        with pytest.raises(UsageError, match="is a file that is read"):
            triptych.infer(prompts, model="tiny", server=server.url, out=tmp_path / out, force=True)
    assert list(read_lines(prompts)) == [row]
    with PredictionLog(tmp_path / "o.jsonl.partial") as log:
        with pytest.raises(UsageError, match="another run writes it"):
            triptych.infer(prompts, model="tiny", server=server.url, out=tmp_path / "o.jsonl", force=True)
        assert log.path.exists()
    assert triptych.infer(prompts, model="tiny", server=server.url, out=tmp_path / "o.jsonl").answered == 1


@pytest.mark.parametrize("sample", [float("nan"), float("inf")])
def test_a_sound_with_samples_that_are_no_numbers_is_not_asked(sample: float, tmp_path: Path) -> None:
    samples = np.zeros(1_600, np.float32)
    samples[7] = sample
    soundfile.write(tmp_path / "clip.wav", samples, 16_000, subtype="FLOAT")
    with pytest.raises(MediaError, match="NaN or infinite"):
        read_sound(tmp_path / "clip.wav", 16_000)


def test_rows_without_an_answer_are_told_and_the_command_ends_with_1(
    server: ModelServer, clips: Callable[[float], Path], tmp_path: Path
) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF no sound")
    rows = [
        {"id": "good", "audio": str(clips(0.1)), "prompt": "Who?"}, {"id": "gone", "audio": "gone.wav", "prompt": "?"},
        {"id": "broken", "audio": "broken.wav", "prompt": "?"}, {"id": "unasked", "audio": str(clips(0.1))},
        {"id": "web", "audio": "https://example.org/a.wav", "prompt": "?"}, {"id": "video", "video": "v.mp4"},
    ]  # fmt: skip
    out = tmp_path / "o.jsonl"
    done = cli("infer", table(tmp_path / "p.jsonl", rows), "--model", "tiny", "--server", server.url, "--out", out)
    assert done.returncode == 1 and "1 prediction for 6 rows" in done.stdout
    assert "gone: missing_media: gone.wav: No such file or directory" in done.stdout
    errors = {row["id"]: row["error"].partition(":")[0] for row in read_lines(out) if "error" in row}
    assert errors == {"gone": "missing_media", "broken": "unreadable_media", "unasked": "no_prompt", "web": "url",
                      "video": "video_unsupported"}  # fmt: skip
    assert len(server.asked) == 1


def test_a_clip_longer_than_the_model_hears_is_told_cut_or_asked_window_by_window(
    server: ModelServer, clips: Callable[[float], Path]
) -> None:
    server.answer = lambda heard: f"{len(heard.sounds[0]) / 16_000:g} s"
    options = {"audio": clips(2.5), "prompt": "?", "model": "tiny", "server": server.url, "max_seconds": 1.0}
    refused = triptych.infer(**options)
    assert refused.counts.errors == {"too_long": 1} and server.asked == []
    assert refused.predictions[0].error == "too_long: 2.5 s; 1 s are heard"
    cut = triptych.infer(**options, long="cut")
    assert (cut.predictions[0].prediction, cut.predictions[0].fields["heard_s"], cut.counts.shortened) == ("1 s", 1, 1)
    [row] = triptych.infer(**options, long="window").predictions
    heard = [float(each) for each in str(row.prediction).split(" s")[:-1]]
    assert row.fields["windows"] == len(heard) >= 3 and sum(heard) == pytest.approx(2.5) and max(heard) <= 1
    assert np.concatenate([each.sounds[0] for each in server.asked[-len(heard) :]]).shape == (40_000,)


def test_several_answers_are_put_to_the_vote_and_its_gain_is_told(server: ModelServer, tmp_path: Path) -> None:
    said = iter(["<think>?</think>C", "c.", "B", "", "B", "It is a cat", "(A)", "A cat.", "A dog", "A cat"])
    server.answer = lambda heard: next(said)
    rows = [{"id": "tie", "prompt": "?", "answer": "c"},
            {"id": "choice", "prompt": "?", "choices": ["A dog", "A cat"], "answer": "A cat"}]  # fmt: skip
    out = tmp_path / "o.jsonl"
    words = ["infer", table(tmp_path / "p.jsonl", rows), "--model", "tiny", "--server", server.url, "--out", out]
    words += ["--samples-per-row", "5", "--temperature", "0.7", "--concurrency", "1"]
    found = cli_json(*words)["self_consistency"]
    tie, choice = read_lines(out)
    assert tie["prediction"] == "<think>?</think>C" and (tie["agreement"], tie["abstention"]) == (0.5, 0.2)
    assert choice["prediction"] == "It is a cat" and len(choice["predictions"]) == 5 and choice["agreement"] == 0.6
    assert found["gain"] == {"questions": 2, "voted": 1.0, "single": pytest.approx((2 / 5 + 3 / 5) / 2)}
    assert len({heard.body["seed"] for heard in server.asked}) == 10
    assert "gain +50.0 points over 2 rows" in cli(*words).stdout


@pytest.mark.parametrize("matched", ["id", "audio", "line"])
def test_answers_made_elsewhere_are_brought_into_the_order_of_the_rows(matched: str, tmp_path: Path) -> None:
    rows = [{"id": f"r{n}", "audio": f"/{n}.wav", "prompt": "?", "gt": f"right {n}"} for n in range(3)]
    answers = [{"id": f"r{n}", "audio_path": f"/{n}.wav", "response": f"said {n}"} for n in range(3)]
    made = {"id": answers[::-1], "audio": [{**each, "id": None} for each in answers[::-1]],
            "line": [{"response": each["response"]} for each in answers]}[matched]  # fmt: skip
    theirs = tmp_path / "theirs.json"
    theirs.write_text(json.dumps(made))
    out = tmp_path / "o.jsonl"
    result = triptych.infer(table(tmp_path / "p.jsonl", rows), predictions=theirs, model="qwen2-audio", out=out)
    assert result.passed
    assert [(row["id"], row["prediction"], row["gt"], row["model"]) for row in read_lines(out)] == [
        (f"r{n}", f"said {n}", f"right {n}", "qwen2-audio") for n in range(3)
    ]


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        ([{"id": "r9", "response": "x"}], "'r9' is not asked"),
        ([{"response": "x"}], "1 predictions without ids for 2 rows"),
    ],
)
def test_answers_to_other_rows_are_refused(answers: list[dict[str, Any]], complaint: str, tmp_path: Path) -> None:
    rows = [{"id": "r0", "prompt": "?"}, {"id": "r1", "prompt": "?"}]
    with pytest.raises(UsageError) as caught:
        triptych.infer(table(tmp_path / "p.jsonl", rows), predictions=table(tmp_path / "a.jsonl", answers))
    assert complaint in caught.value.message
    found = triptych.infer(
        table(tmp_path / "p.jsonl", rows), predictions=table(tmp_path / "b.jsonl", [{"id": "r1", "text": "x"}])
    )
    assert found.counts.errors == {"no_prediction": 1} and found.predictions[1].prediction == "x"


def test_one_clip_is_answered_on_the_terminal(server: ModelServer, clips: Callable[[float], Path]) -> None:
    done = cli("infer", "--audio", clips(0.1), "--prompt", "What is it?", "--model", "tiny", "--server", server.url)
    assert (done.returncode, done.stdout) == (0, "at is it?\n")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--model", "m"], "nothing is asked"),
        (["p.jsonl", "--model", "m"], "--out must be given"),
        (["p.jsonl", "--out", "o"], "--model must be given"),
        (["p.jsonl", "--model", "m", "--out", "o", "--audio", "a.wav"], "name one of them"),
        (["p.jsonl", "--model", "m", "--out", "o", "--samples-per-row", "3"], "greedy answers are all the same"),
        (["p.jsonl", "--model", "m", "--out", "o", "--num-beams", "3", "--temperature", "1"], "--num-beams searches"),
        (["p.jsonl", "--model", "m", "--out", "o", "--backend", "openai"], "--backend openai needs the server"),
        (["p.jsonl", "--model", "./nothing", "--out", "o"], "there is no such folder"),
        (["nothing.jsonl", "--model", "m", "--out", "o"], "nothing.jsonl: there is no such file"),
    ],
)
def test_what_contradicts_itself_is_refused(words: list[str], complaint: str, tmp_path: Path) -> None:
    table(tmp_path / "p.jsonl", [{"prompt": "?"}])
    done = cli("infer", *words, cwd=tmp_path)
    assert done.returncode == 2 and complaint in done.stderr and not list(tmp_path.glob("o*"))


def test_stop_strings_are_typed_as_in_a_shell_and_an_empty_line_is_warned_of(
    server: ModelServer, tmp_path: Path
) -> None:
    def chain(heard: Heard) -> str:
        return "It barks.\n\nAnswer: a dog"

    server.answer = chain
    done = cli(
        "infer", "--prompt", "?", "--model", "tiny", "--server", server.url, "--stop", "\\n\\n", "--stop", "Answer:"
    )
    assert done.stdout == "It barks.\n" and "a chain of thought has several" in done.stderr
    assert server.asked[0].body["stop"] == ["\n\n", "Answer:"]
