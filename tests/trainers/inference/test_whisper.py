"""Whisper tiny.en on real speech: here, and behind a server that speaks OpenAI's protocol, with equal predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import triptych
from support import models
from support.imported import read_lines, table
from support.model_server import Heard, serve_model
from triptych.trainers.data.turns import USER, Clip, Turn
from triptych.trainers.inference.backends.answers import Request
from triptych.trainers.inference.backends.local_model import LocalModel
from triptych.trainers.inference.questions import Question
from triptych.trainers.inference.token_draw import DecodingOptions
from triptych.validators.metrics.edits import error_rate

NAMES = ("3005/163389/3005-163389-0007", "367/130732/367-130732-0006")
"""Two of the shortest clips."""


@pytest.fixture(scope="module")
def whisper(one_thread: None) -> Path:
    return models.require(models.WHISPER)


@pytest.fixture(scope="module")
def spoken(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows as in Qwen2-Audio's lists."""
    root = shared / "media/librispeech/LibriSpeech/test-other"
    rows = []
    for name in NAMES:
        folder, utterance = (root / name).parent, Path(name).name
        [transcripts] = folder.glob("*.trans.txt")
        texts = dict(line.split(" ", 1) for line in transcripts.read_text().splitlines())
        prompt = "Detect the language and recognize the speech: <|en|>"
        audio = str(root / f"{name}.flac")
        rows.append({"audio": audio, "prompt": prompt, "gt": texts[utterance], "source": "librispeech_test_other"})
    return table(tmp_path_factory.mktemp("spoken") / "rows.jsonl", rows)


@pytest.fixture(scope="module")
def local(whisper: Path, spoken: Path) -> list[dict[str, Any]]:
    out = spoken.with_name("local.jsonl")
    result = triptych.infer(spoken, model=whisper, out=out, batch_size=2)
    assert result.passed and result.notes == ["the model only transcribes: the prompts of 2 rows were not asked"]
    return list(read_lines(out))


@pytest.mark.shared
def test_it_transcribes_real_speech_and_keeps_what_the_list_says(local: list[dict[str, Any]]) -> None:
    for row in local:
        assert error_rate(row["gt"], row["prediction"], "en") <= 0.35, row
        assert row["source"] == "librispeech_test_other" and row["revision"].startswith("sha256:")
    assert sum(error_rate(row["gt"], row["prediction"], "en") for row in local) / len(local) < 0.15


@pytest.fixture(scope="module")
def transcribe(whisper: Path) -> Callable[[Heard], str]:
    """What a server around the model answers."""
    model = LocalModel(whisper, decoding=DecodingOptions(), template="raw")

    def answer(heard: Heard) -> str:
        question = Question(id="", turns=(Turn(USER, (Clip("clip"),)),))
        [found] = model.answer([Request(question, (heard.sounds[0],), 0)])
        return f" {found.text}" if heard.path.endswith("transcriptions") else str(found.text)

    return answer


@pytest.mark.shared
@pytest.mark.parametrize("api", ["chat", "transcriptions"])
def test_a_server_around_the_same_model_gives_the_same_predictions(
    api: str, transcribe: Callable[[Heard], str], spoken: Path, local: list[dict[str, Any]]
) -> None:
    out = spoken.with_name(f"{api}.jsonl")
    with serve_model(transcribe, models=("whisper-tiny.en",)) as server:
        result = triptych.infer(spoken, out=out, model="whisper-tiny.en", server=server.url, api=api)
    assert result.passed and [row["prediction"] for row in read_lines(out)] == [row["prediction"] for row in local]


@pytest.mark.thorough
@pytest.mark.shared
def test_a_clip_longer_than_it_hears_is_heard_in_windows(whisper: Path, spoken: Path, tmp_path: Path) -> None:
    rows = list(read_lines(spoken))
    sounds = [soundfile.read(row["audio"])[0] for row in rows]
    clip = tmp_path / "long.flac"
    soundfile.write(clip, np.concatenate([sounds[0], np.zeros(8_000), sounds[1]]), 16_000)
    [heard] = triptych.infer(model=whisper, audio=clip, max_seconds=3.5, long="window").predictions
    assert heard.fields["windows"] == 2
    assert error_rate(" ".join(row["gt"] for row in rows), str(heard.prediction), "en") < 0.3


@pytest.mark.thorough
@pytest.mark.shared
@pytest.mark.parametrize("decoding", [{"temperature": 1.0}, {"stop": ("want",)}, {"num_beams": 2}], ids=str)
def test_a_clip_is_transcribed_the_same_alone_and_in_a_batch(
    decoding: dict[str, Any], whisper: Path, spoken: Path
) -> None:
    model = LocalModel(whisper, decoding=DecodingOptions.of(**decoding), template="raw")
    question = Question(id="", turns=(Turn(USER, (Clip("clip"),)),))
    requests = [
        Request(question, (soundfile.read(row["audio"], dtype="float32")[0],), seed)
        for seed, row in enumerate(read_lines(spoken))
    ]
    assert model.answer(requests) == [model.answer([request])[0] for request in requests]
