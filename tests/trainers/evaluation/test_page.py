"""The page of an evaluation: its scores, its worst rows with clips and differences, what it may do, how large it is."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported
from support.browser import browser
from support.stores import cli
from triptych.trainers.evaluation.page.plots import _histogram, groups_of
from triptych.trainers.evaluation.scores import Score
from triptych.validators.metrics.metric import Metric
from triptych.validators.metrics.ratings import airbench, rubrics

HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(2)> \u202ekcab"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve transcripts with clips, and two files of predictions: one row is an error, one is missing."""
    folder = tmp_path_factory.mktemp("evaluation")
    texts = ["the cat sat on the mat", "red green blue", HOSTILE, "good morning", *["all is well"] * 8]
    said = ["the cat sat on a big mat", "red blue", "nothing at all", "good morning", *["all is well"] * 8]
    gold: list[dict[str, Any]] = []
    for number, text in enumerate(texts):
        clip = imported.sound(folder / f"{number}.flac", imported.noise(0.1, seed=number)).name
        source = "first" if number % 2 else "second"
        gold.append(
            {"id": f"r{number}", "audio": clip, "text": text, "language": "en", "source": source, "task": "asr"}
        )
    own = [
        {"id": row["id"], "prediction": text, "model": "tiny", "revision": "abc"}
        for row, text in zip(gold, said, strict=True)
    ]
    other = [{"id": row["id"], "prediction": row["text"]} for row in gold]
    own[10] = {"id": "r10", "error": "out of <memory>"}
    imported.table(folder / "gold.jsonl", gold)
    imported.table(folder / "own.jsonl", own[:11])
    imported.table(folder / "other.jsonl", other)
    return folder


def evaluate(files: Path, out: Path, **options: Any) -> str:
    triptych.evaluate(
        pred=files / "own.jsonl", gold=files / "gold.jsonl", page=out, resamples=50, metrics="wer", **options
    )
    return out.read_text(encoding="utf-8")


def text_of(page: str) -> str:
    """What a reader sees."""
    return html.unescape(re.sub(r"<(?:style|title)>.*?</(?:style|title)>|<[^>]*>", " ", page, flags=re.DOTALL))


def test_a_page_has_scores_worst_rows_and_how_it_was_made(files: Path, tmp_path: Path) -> None:
    page = evaluate(files, tmp_path / "p.html", against=files / "other.jsonl")
    text = " ".join(text_of(page).split())
    found = triptych.evaluate(pred=files / "own.jsonl", gold=files / "gold.jsonl", resamples=50, metrics="wer")
    [score] = [each for each in found.scores if not each.by]
    assert score.value is not None and f"{100 * score.value:.2f} %" in text
    assert "wer (words) by source" in text and "12 rows, 2 without a prediction" in text
    assert page.count("<svg class=interval") == 3 and page.count("<svg class=chart") == 1
    worst = re.findall(r"<article><h3><code>(.*?)</code>", page)
    assert worst == ["r2", "r0", "r1"] * 2 and "3 of 3 rows that are not all right" in text
    assert page.count("<audio controls") == 3 and page.count('src="data:audio/flac;base64,') == 3
    assert "r10 out of <memory>" in text and "r11 not in the file" in text
    assert "revision abc" in text and "model tiny" in text and "other.jsonl" in text
    assert "says something else in 5 of 12 rows" in text
    assert "wer (words) 0 3" in text and "3 of the rows that are worse by wer (words), the most first" in text
    assert "other: 0.00 %" in text and page.count('<a href="#clip-') == 3


def test_the_difference_of_two_texts_is_told_by_letters_too(files: Path, tmp_path: Path) -> None:
    page = evaluate(files, tmp_path / "p.html")
    pairs = re.findall(
        r'<span class="pair (\w+)"><span>(.*?)</span><span>(.*?)</span><span class=sign>(\w?)</span>', page
    )
    assert ("substitution", "the", "big", "S") in pairs and ("insertion", "·", "a", "I") in pairs
    assert ("deletion", "green", "·", "D") in pairs and ("equal", "cat", "cat", "") in pairs


def test_what_came_from_data_is_text_and_the_page_runs_nothing(files: Path, tmp_path: Path) -> None:
    page = evaluate(files, tmp_path / "p.html")
    assert not re.search(r"<(script|link|iframe|object|base|form|img)\b", page) and not re.search(
        r"<\w[^>]*\son\w+=", page
    )
    assert "[U+202E]kcab" in page and "\u202e" not in page
    policy = html.unescape(re.findall(r'Content-Security-Policy content="(.*?)"', page)[0])
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "script" not in policy
    assert "unsafe" not in policy and "http" not in policy


def test_clips_lie_beside_the_page_or_are_told_where_they_are(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = evaluate(files, tmp_path / "p.html", embed=False, worst=2)
    assert sorted(re.findall(r'<audio [^>]*src="(.*?)"', page)) == sorted(
        f"p_media/{file.name}" for file in (tmp_path / "p_media").iterdir()
    )
    monkeypatch.setattr("triptych.trainers.evaluation.page.rows.LARGEST_MEDIA_MB", 0.001)
    assert "<audio" not in (page := evaluate(files, tmp_path / "q.html")) and "not in the page" in page
    monkeypatch.undo()
    (gone := tmp_path / "gold.jsonl").write_text((files / "gold.jsonl").read_text().replace(".flac", ".none"))
    triptych.evaluate(pred=files / "own.jsonl", gold=gone, metrics="wer", page=tmp_path / "r.html", resamples=0)
    assert "there is no such file" in (tmp_path / "r.html").read_text()


def test_a_large_evaluation_makes_a_small_page(tmp_path: Path) -> None:
    row = {"text": "a b c d", "language": "en", "task": "asr"}
    rows = [row | {"id": str(number), "speaker": f"s{number % 300}"} for number in range(1000)]
    imported.table(tmp_path / "gold.jsonl", rows)
    imported.table(tmp_path / "pred.jsonl", [{"id": row["id"], "prediction": "a b x " * 30} for row in rows[:600]])
    triptych.evaluate(
        pred=tmp_path / "pred.jsonl", gold=tmp_path / "gold.jsonl", page=tmp_path / "p.html", resamples=0, by="speaker"
    )
    page = (tmp_path / "p.html").read_text()
    assert len(page) < 400_000 and "20 of 600 rows" in text_of(page)
    assert "100 more values of speaker" in page and "200 more." in page


def test_equal_texts_are_right_whatever_the_score_of_so_few_words_is(tmp_path: Path) -> None:
    rows = [{"id": "a", "translation": "angry", "task": "s2tt", "target_language": "en"},
            {"id": "b", "translation": "sad", "task": "s2tt", "target_language": "en"}]  # fmt: skip
    gold = imported.table(tmp_path / "gold.jsonl", rows)
    pred = imported.table(tmp_path / "pred.jsonl", [{"id": row["id"], "prediction": "angry"} for row in rows])
    triptych.evaluate(pred=pred, gold=gold, page=tmp_path / "p.html", metrics="bleu", resamples=0)
    assert re.findall(r"<article><h3><code>(.*?)</code>", (tmp_path / "p.html").read_text()) == ["b"]


@pytest.mark.parametrize(("metric", "ends"), [(airbench(), 10), (rubrics(), 100)])
def test_points_are_drawn_on_the_scale_of_their_metric(metric: Metric, ends: int) -> None:
    score = Score(
        metric=metric.name, about="", by={}, value=7.5, low=6, high=8, counts={}, unit="rows", compared="answer",
        rows=2, missing=0, better="high", scale=metric.scale, most=metric.most, details={},
    )  # fmt: skip
    [group] = groups_of([score])
    assert (group.low, group.high, group.place(7.5)) == (0, ends, 7.5 / ends)
    bars = _histogram(score, [0.0, 0.75 * ends, None])
    assert (bars.labels[-1], bars.counts[0], bars.counts[8], bars.without) == (f"to {ends}", 1, 1, 1)


def test_other_pages_are_not_overwritten_and_the_command_names_the_page(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.html"
    asked = [
        "evaluate",
        "--pred",
        files / "own.jsonl",
        "--gold",
        files / "gold.jsonl",
        "--page",
        out,
        "--metrics",
        "wer",
    ]
    done = cli(*asked, "--resamples", "0", "--allow-missing")
    assert done.returncode == 0 and f"{out}: " in done.stdout, done.stderr
    out.write_text("mine")
    assert cli(*asked).returncode == 2 and out.read_text() == "mine"
    assert cli(*asked, "--force", "--allow-missing", "--resamples", "0").returncode == 0 and out.read_text() != "mine"


def test_a_browser_shows_it_and_plays_its_clips(files: Path, tmp_path: Path) -> None:
    evaluate(files, tmp_path / "p.html")
    with browser(tmp_path / "browser") as opened:
        opened.open(tmp_path / "p.html")
        assert opened.run("document.querySelector('audio').play().then(() => true)")
        assert opened.text("article h3 code") == "r2"
        style = "getComputedStyle(document.querySelector('.deletion span')).textDecorationLine"
        assert opened.run(style) == "line-through"
        assert opened.faults == []
        assert {request.partition(":")[0] for request in opened.requests} <= {"file", "data"}
