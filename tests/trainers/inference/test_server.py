"""A server that speaks OpenAI's protocol: what it is sent, what its failures mean, and a run that goes on after one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import triptych
from support.forks import fork
from support.imported import read_lines, table
from support.model_server import Heard, ModelServer, serve_model, slowly
from triptych.errors import GateError, NetworkError, UsageError


def echo(heard: Heard) -> str:
    """An answer that depends on everything that was heard."""
    told = [sound if isinstance(sound, str) else np.asarray(sound).tobytes().hex() for sound in heard.sounds]
    return hashlib.sha256(json.dumps([heard.text, told, heard.body.get("seed")]).encode()).hexdigest()[:8]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serve_model(echo) as running:
        yield running


@pytest.fixture
def prompts(tmp_path: Path, clips: Callable[[float], Path]) -> Path:
    rows = [{"id": f"r{n}", "audio": str(clips(0.1 + n % 3 / 10)), "prompt": f"What is {n}?"} for n in range(12)]
    return table(tmp_path / "prompts.jsonl", rows)


def ask(server: ModelServer, prompts: Path | None = None, **options: Any) -> Any:
    return triptych.infer(prompts, **{"model": "tiny", "server": server.url, "retries": 2, **options})


def test_what_is_sent_is_the_conversation_its_sound_and_how_to_answer(
    server: ModelServer, clips: Callable[[float], Path], noises: Callable[[float], Any]
) -> None:
    result = ask(
        server, audio=clips(0.2), prompt="What is heard?", system="Be brief.", temperature=0.3, top_p=0.9,
        stop=("\\n",), max_new_tokens=9,
    )  # fmt: skip
    [heard] = server.asked
    assert [message["role"] for message in heard.body["messages"]] == ["system", "user"]
    kinds = [part["type"] for part in heard.body["messages"][1]["content"]]
    assert kinds == ["input_audio", "text"] and heard.text == "Be brief.What is heard?" and heard.rates == [16_000]
    assert np.abs(heard.sounds[0] - noises(0.2)).max() < 2 / 32768
    assert {name: heard.body[name] for name in ("model", "temperature", "top_p", "max_tokens", "stop")} == {
        "model": "tiny", "temperature": 0.3, "top_p": 0.9, "max_tokens": 9, "stop": ["\n"],
    }  # fmt: skip
    [row] = result.predictions
    assert row.prediction == echo(heard) and row.fields["server"] == server.url and row.fields["seconds"] == 0.2


def test_a_server_may_be_handed_the_path_or_address_of_a_clip(server: ModelServer, tmp_path: Path) -> None:
    rows = [{"audio": "https://example.org/a.mp3", "prompt": "?"}, {"audio": "/data/b c.wav", "prompt": "?"}]
    ask(server, table(tmp_path / "p.jsonl", rows), audio_as="url", out=tmp_path / "o.jsonl", concurrency=1)
    assert [each.sounds for each in server.asked] == [["https://example.org/a.mp3"], ["file:///data/b%20c.wav"]]


def test_failures_that_pass_are_waited_for_and_refusals_are_errors_of_their_rows(
    server: ModelServer, prompts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triptych.trainers.inference.backends.server_client._FIRST_PAUSE_S", 0.001)
    server.fail(429, retry_after="0.01")
    server.fail(503)
    server.fail(400, message="the prompt is too long")
    out = tmp_path / "o.jsonl"
    result = ask(server, prompts, out=out, concurrency=1)
    assert result.counts.errors == {"refused": 1} and not result.passed and len(server.asked) == 12 + 2
    assert result.counts.first_errors == [("r0", "refused: HTTP 400: the prompt is too long")]
    again = ask(server, prompts, out=out, concurrency=1)
    assert (again.answered, again.continued, again.passed, len(server.asked)) == (1, 11, True, 15)
    assert [row["id"] for row in read_lines(out)] == [f"r{n}" for n in range(12)]


def test_a_run_whose_server_goes_away_is_continued_and_its_file_is_that_of_one_that_was_not(
    server: ModelServer, prompts: Path, tmp_path: Path
) -> None:
    ask(server, prompts, out=tmp_path / "whole.jsonl", temperature=0.7, samples_per_row=2)
    server.asked.clear()

    def answer_nine(heard: Heard) -> str:
        if len(server.asked) == 9:
            server.fail(500, times=None)
        return echo(heard)

    server.answer = answer_nine
    options = {"out": tmp_path / "o.jsonl", "temperature": 0.7, "samples_per_row": 2, "concurrency": 1, "retries": 0}
    with pytest.raises(NetworkError, match="HTTP 500, after 1 attempts"):
        ask(server, prompts, **options)
    assert not (tmp_path / "o.jsonl").exists() and len(list(read_lines(tmp_path / "o.jsonl.partial"))) == 4
    server.failures.clear()
    with pytest.raises(UsageError, match=r"partial was made with seed=0, now 1; temperature=0.7, now 0.8"):
        ask(server, prompts, **{**options, "temperature": 0.8, "seed": 1})
    result = ask(server, prompts, **options)
    assert (result.answered, result.continued) == (8, 4) and not (tmp_path / "o.jsonl.partial").exists()
    assert (tmp_path / "o.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_run_that_is_killed_is_continued_and_its_file_is_that_of_one_that_was_not(
    server: ModelServer, prompts: Path, tmp_path: Path
) -> None:
    ask(server, prompts, out=tmp_path / "whole.jsonl")
    server.answer = slowly(0.03, echo)
    words = ["infer", str(prompts), "--model", "tiny", "--server", server.url, "--out", str(tmp_path / "o.jsonl"),
             "--concurrency", "2"]  # fmt: skip
    process = fork("from triptych.cli import main; main()", "triptych", *words)
    partial = tmp_path / "o.jsonl.partial"
    while process.poll() is None and not (partial.exists() and partial.read_bytes().count(b"\n") >= 3):
        pass
    process.kill()
    process.communicate(timeout=30)
    done = partial.read_bytes().count(b"\n")
    assert 3 <= done < 12 and not (tmp_path / "o.jsonl").exists()
    result = ask(server, prompts, out=tmp_path / "o.jsonl")
    assert result.continued >= 3 and result.answered == 12 - result.continued
    assert (tmp_path / "o.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_rows_are_asked_side_by_side(server: ModelServer, prompts: Path, tmp_path: Path) -> None:
    server.answer = slowly(0.02, echo)
    ask(server, prompts, out=tmp_path / "o.jsonl", concurrency=4)
    assert 2 <= server.most_at_once <= 4


def test_a_key_comes_from_the_environment_and_is_never_written(
    server: ModelServer, prompts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = "sk-secret"
    with pytest.raises(GateError, match="refuses the key") as caught:
        ask(server, prompts, out=tmp_path / "o.jsonl")
    assert caught.value.hint == "set the key in the environment: export OPENAI_API_KEY=..."
    monkeypatch.setenv("MY_KEY", "sk-secret")
    ask(server, prompts, out=tmp_path / "o.jsonl", key_env="MY_KEY")
    assert "secret" not in (tmp_path / "o.jsonl").read_text() and {each.key for each in server.asked} == {"sk-secret"}
    server.key = None
    server.fail(400, message="who sent sk-secret?")
    [row] = ask(server, prompts, key_env="MY_KEY", limit=1).predictions
    assert row.error == "refused: HTTP 400: who sent [key]?"
    with pytest.raises(UsageError, match="an address without"):
        triptych.infer(prompts, model="tiny", server=f"{server.url}?key=sk-secret")
    for key in ("sk-sécret", "sk\nsecret"):
        monkeypatch.setenv("MY_KEY", key)
        with pytest.raises(UsageError, match=r"MY_KEY holds no key: [^é\n]*$"):
            ask(server, prompts, key_env="MY_KEY")
    login = server.url.replace("://", "://me:hidden@")
    triptych.infer(prompts, model="tiny", server=login, out=tmp_path / "other.jsonl", limit=1)
    assert "hidden" not in (tmp_path / "other.jsonl").read_text()


def test_a_model_that_the_server_does_not_have_is_told_with_those_that_it_has(
    server: ModelServer, prompts: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"has tiny\."):
        ask(server, prompts, model="other", out=tmp_path / "o.jsonl")
    assert list(tmp_path.glob("o.jsonl*")) == []


@pytest.mark.parametrize(
    ("message", "finish", "expected"),
    [
        ({"content": "C", "reasoning_content": "It barks."}, "stop", "<think>\nIt barks.\n</think>\n\nC"),
        ({"content": "too lo"}, "length", "too lo"),
        ({"content": "<|audio_bos|>"}, "stop", None),
        ({"content": None}, "stop", ""),
        ({"content": ""}, "length", None),
        ({"content": "half an ans"}, "abort", None),
        ({"content": None, "refusal": "I cannot"}, "stop", None),
        ({"content": [{"type": "text", "text": "x"}]}, "stop", None),
    ],
)
def test_what_a_server_answers(
    message: dict[str, Any], finish: str, expected: str | None, server: ModelServer, clips: Callable[[float], Path]
) -> None:
    usage = {"completion_tokens": "many"}
    server.answer = lambda heard: {"choices": [{"finish_reason": finish, "message": message}], "usage": usage}
    [row] = ask(server, audio=clips(0.1), prompt="?").predictions
    assert row.prediction == expected and (row.fields.get("finish") == "length") == (expected == "too lo")
    assert row.error is None or row.error.startswith(("only_sound_tokens", "only_special_tokens", "refused: "))


def test_an_error_with_the_status_200_is_no_answer(server: ModelServer, clips: Callable[[float], Path]) -> None:
    choice = {"finish_reason": "stop", "message": {"content": "x"}}
    server.answer = lambda heard: {"error": {"message": "out of memory"}, "choices": [choice], "text": "x"}
    for api in ("chat", "transcriptions"):
        [row] = ask(server, audio=clips(0.1), prompt="?", api=api).predictions
        assert row.error == "refused: the server answered with an error: out of memory"
