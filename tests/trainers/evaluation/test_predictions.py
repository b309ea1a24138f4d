"""Files of predictions: what is written is read back, files made elsewhere are read, all else ends with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from triptych.errors import UsageError
from triptych.trainers.evaluation.predictions import Prediction, PredictionLog, read_predictions, write_predictions

ROWS = [
    Prediction(id="a#1", audio="/a.wav", prediction="你好 \u2028 world", source="s", gt="hello"),
    Prediction(id="b", prediction="x", predictions=("y", "x", "x"), fields={"decoding": {"seed": 1}, "seconds": 1.5}),
    Prediction(id="c", error="too_long: 31 s"),
    Prediction(id="d", prediction=""),
    Prediction(id="e", prediction="half \ud83d of it"),
]


def told(predictions: Any) -> list[tuple[dict[str, Any], int]]:
    return [(each.document(), each.line) for each in predictions]


def read(path: Path, text: str) -> list[Prediction]:
    path.write_text(text, encoding="utf-8")
    return list(read_predictions(path))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    assert write_predictions(tmp_path / "new/p.jsonl", ROWS) == len(ROWS)
    found = told(read_predictions(tmp_path / "new/p.jsonl"))
    assert found == [(row.document(), line) for line, row in enumerate(ROWS, start=1)]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["p.jsonl"]


def test_a_log_has_one_writer(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with PredictionLog(path) as log:
        with pytest.raises(UsageError, match="another run writes it"):
            PredictionLog(path)
        log.append(ROWS[:1])
    with PredictionLog(path) as log:
        assert not log.is_empty


def test_a_log_that_was_cut_off_goes_on_behind_its_last_whole_row(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with PredictionLog(path) as log:
        log.append(ROWS[:2])
        log.append(ROWS[2:3])
    whole = path.read_bytes()
    for cut in (whole[:-1], whole[:-9], whole + b'{"id": "d", "predi'):
        path.write_bytes(cut)
        with PredictionLog(path) as log:
            kept = len(list(read_predictions(path)))
            log.append(ROWS[kept:3])
        assert path.read_bytes() == whole
    path.write_bytes(b'{"id"')
    with PredictionLog(path):
        assert path.read_bytes() == b""


@pytest.mark.parametrize(
    ("row", "said", "audio", "others"),
    [
        ({"gt": "a", "response": "b", "source": "s", "audio_path": "/x.wav"}, "b", "/x.wav", {}),
        ({"audio_filepath": "x.wav", "text": "the reference", "pred_text": "b"}, "b", "x.wav",
         {"text": "the reference"}),
        ({"id": 7, "thinking_prediction": "t", "answer_prediction": "b"}, "b", None, {"thinking_prediction": "t"}),
        ({"id": "7", "text": "b"}, "b", None, {}),
    ],
)  # fmt: skip
def test_files_made_elsewhere_are_read(
    row: dict[str, Any], said: str, audio: str | None, others: dict[str, Any], tmp_path: Path
) -> None:
    for text in (json.dumps([row]), json.dumps(row)):
        [found] = read(tmp_path / "p.json", text)
        assert (found.prediction, found.audio, dict(found.fields)) == (said, audio, others)
        assert found.id == (str(row["id"]) if "id" in row else None)


def test_each_line_of_a_text_is_one_prediction(tmp_path: Path) -> None:
    found = read(tmp_path / "preds.txt", "sil sh iy\r\n\nhh ae\n")
    assert [each.prediction for each in found] == ["sil sh iy", "", "hh ae"] and found[2].line == 3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"id": "a", "prediction": "x"}\n{"id": "a", "prediction": "y"}', ":2: column id: 'a' has a prediction in li"),
        ('{"id": "a", "prediction": "x"}\n{"prediction": "y"}', ":2: column id: some rows"),
        ('{"prediction": "x"}\n{"id": "a", "prediction": "y"}', ":2: column id: some rows"),
        ('{"prediction": "x"}\n{"prediction": "y"', ":2: invalid JSON"),
        ('{"prediction": "x", "prediction": "y"}', ":1: invalid JSON"),
        ('{"prediction": 5}', ":1: column prediction: expected text, got int 5"),
        ('{"id": 1.5, "prediction": "x"}', ":1: column id: expected text, got float"),
        ('{"prediction": "x", "predictions": "x"}', ":1: column predictions: expected a list of texts"),
        ('{"id": "a", "answer": "x"}', ":1: no prediction among the columns id, answer"),
        ('["x"]', ":1: expected an object, got str"),
        ('{"id": "a", "text": "what is right", "pred": "x"}', ":1: is the prediction in text or in pred?"),
        ('[{"prediction": "x"},', ":1:"),
    ],
)
def test_what_is_no_prediction_is_told_with_its_line(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path / "p.jsonl", text)
    assert f"p.jsonl{complaint}" in caught.value.message
