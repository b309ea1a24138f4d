"""`triptych demo --train`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.stores import process
from triptych.commands.models.demo_training import _clips_of_other_answers
from triptych.errors import UsageError


def test_each_question_gets_the_clip_of_another_answer() -> None:
    answers = ["one", "one", "two", "one"]
    found = _clips_of_other_answers(answers, [0, 1, 2, 3])
    assert all(answers[clip] != answer for clip, answer in zip(found, answers, strict=True))
    with pytest.raises(UsageError, match="same answer"):
        _clips_of_other_answers(["one", "one"], [0, 1])


@pytest.mark.thorough
def test_what_is_trained_hears_voices_that_it_never_heard(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    done = process("demo", "--train", "--store", tmp_path / "demo", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    scores = document["scores"]
    assert scores["base"] <= 0.2 and scores["trained"] >= 0.8 and scores["other-clip"] <= 0.2, scores
    for made in ("page", "curves", "model"):
        assert Path(document[made]).exists(), made
    assert [line.split()[1] for line in document["commands"] if line.startswith("triptych")] == [
        "catalog", "split", "validate", "export", "export", "train", "train", "infer", "infer", "infer",
        "evaluate", "evaluate", "evaluate",
    ]  # fmt: skip
