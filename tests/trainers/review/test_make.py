"""A page for review: what is drawn, what it shows, what it may do."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import soundfile
import triptych
from support import imported
from support.stores import cli, cli_json
from triptych.trainers.pages.document import visible
from triptych.trainers.review.draw import draw, shares
from triptych.trainers.review.rows import chain_and_rest

from .conftest import HOSTILE, Answered, data_of


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and the text of each script and style."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is not None:
            self.inside.append((*self.tags[-1], data))


@pytest.fixture(scope="module")
def page(answered: Answered, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "review.html"
    answered.make(path, by="source")
    return path


def test_a_page_shows_reference_reasoning_and_answer_of_the_rows_that_have_one(page: Path, answered: Answered) -> None:
    rows = {row["id"]: row for row in data_of(page)["rows"]}
    assert set(rows) == set(answered.ids[:9])
    thinking = rows[answered.ids[1]]
    assert thinking["chain"] == "thought 1" and thinking["answer"] == thinking["reference"]
    assert "chain" not in rows[answered.ids[0]]
    assert thinking["question"].startswith("Detect the language")
    assert [each["kind"] for each in thinking["media"]] == ["audio"] and thinking["of"] == "tiny"


def test_what_came_from_data_is_text_and_the_policy_allows_only_the_pages_own_script(page: Path) -> None:
    found = Tags(page)
    scripts = [(attributes, text) for tag, attributes, text in found.inside if tag == "script"]
    [(_, code)] = [each for each in scripts if "type" not in each[0]]
    policy = next(a["content"] for t, a in found.tags if t == "meta" and a.get("http-equiv")) or ""
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and f"script-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy and "http:" not in policy and "https:" not in policy
    assert not {tag for tag, _ in found.tags} & {"img", "link", "iframe", "object", "base", "form"}
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)
    shown = next(row for row in data_of(page)["rows"] if "alert" in row["answer"])["answer"]
    assert shown == HOSTILE.replace("\u202e", "[U+202E]").replace("\u202c", "[U+202C]").replace("\x00", "[U+0000]")
    assert page.read_text().count("alert(1)") == 2 and "</script><script>alert" not in page.read_text()


def test_the_same_seed_draws_the_same_page_and_another_page_is_not_overwritten(
    page: Path, answered: Answered, tmp_path: Path
) -> None:
    again = answered.make(tmp_path / "again.html", by="source")
    assert again.path.read_bytes() == page.read_bytes()
    assert answered.make(again.path, by="source").name == again.name
    with pytest.raises(triptych.UsageError, match="another page"):
        answered.make(again.path, samples=3)
    assert answered.make(again.path, samples=3, force=True).rows == 3


def test_a_larger_draw_contains_the_smaller_one_and_the_seed_changes_it() -> None:
    strata = {f"row {number}": "" for number in range(500)}
    small, large = (draw(strata, count, seed=1, stratified=False) for count in (20, 200))
    assert large[:20] == small and len(set(large)) == 200
    assert draw(strata, 20, seed=2, stratified=False) != small
    assert draw(dict(reversed(strata.items())), 20, seed=1, stratified=False) == small


def test_strata_are_drawn_in_proportion() -> None:
    sizes = {"a": 600, "b": 300, "c": 99, "d": 1}
    strata = {f"{name}{number}": name for name, size in sizes.items() for number in range(size)}
    drawn = draw(strata, 100, seed=0, stratified=True)
    assert Counter(strata[each] for each in drawn) == {"a": 60, "b": 30, "c": 10}
    assert draw(strata, 5000, seed=0, stratified=True) != list(strata) and len(drawn) == 100
    assert shares({"a": 1, "b": 1, "c": 1}, 2) == {"a": 1, "b": 1, "c": 0}


def test_what_is_not_drawn_is_told(answered: Answered, tmp_path: Path) -> None:
    done = cli("review", "make", "evaluation-list", "--pred", answered.pred, "--by", "number", "--samples", "4",
               "--out", tmp_path / "r.html", "--store", answered.store)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "4 of 9 rows" in done.stdout and "number 2: 1 of 3 rows" in done.stdout
    assert "3 rows have no prediction" in done.stderr and answered.ids[9] in done.stderr
    made = cli_json("review", "make", "--pred", answered.pred, "--out", tmp_path / "p.html")
    assert made["rows"] == 9 and made["without_prediction"] == [answered.ids[9]]


def test_an_export_is_reviewed_for_its_own_answers(answered: Answered, tmp_path: Path) -> None:
    [row] = imported.speech_rows(tmp_path / "in", 1)
    row |= {"question": "What is heard?", "answer": "a dog", "reasoning": "It barks.", "choices": ["a cat", "a dog"]}
    store = imported.bring_in(answered.store, "qa", [row | {"task": "qa"}], tmp_path)
    for view in ("cot", "messages"):
        result = triptych.export(view, store=store, dataset="qa")
        made = triptych.review_make(result.version.reference, store=store, out=tmp_path / "r.html", force=True)
        [shown] = data_of(made.path)["rows"]
        assert "What is heard?" in shown["question"] and [each["kind"] for each in shown["media"]] == ["audio"], view
        assert shown["answer"] == "a dog" and "reference" not in shown and shown["of"] == "", view
        assert shown["chain"] == "It barks.", view


def test_media_lie_beside_the_page_if_asked(answered: Answered, tmp_path: Path) -> None:
    made = answered.make(tmp_path / "r.html", samples=2, embed=False)
    sources = re.findall(r'<script type="text/plain" id="m-\w+">(.*?)</script>', made.path.read_text())
    assert sorted(sources) == sorted(f"r_media/{file.name}" for file in (tmp_path / "r_media").iterdir())
    assert made.media_bytes == sum((tmp_path / each).stat().st_size for each in sources)
    assert "media-src &#39;self&#39; file:;" in made.path.read_text() and "data:audio" not in made.path.read_text()
    assert answered.make(tmp_path / "e.html", samples=2).name == made.name


def test_a_sound_that_browsers_do_not_play_is_converted(tmp_path: Path) -> None:
    sound = imported.noise(0.2, seed=1, rate=8000)
    soundfile.write(tmp_path / "u.wav", sound, 8000, subtype="ULAW")
    pred = imported.table(tmp_path / "p.jsonl", [{"id": "a", "audio": "u.wav", "prediction": "x", "gt": "y"}])
    made = triptych.review_make(pred=pred, out=tmp_path / "r.html")
    [source] = re.findall(r'id="m-\w+">data:audio/flac;base64,(.*?)</script>', made.path.read_text())
    (tmp_path / "again.flac").write_bytes(base64.b64decode(source))
    played, rate = soundfile.read(tmp_path / "again.flac", dtype="int16")
    assert rate == 8000 and (played == soundfile.read(tmp_path / "u.wav", dtype="int16")[0]).all()


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([{"id": "a", "audio": "no.wav", "prediction": "x"}], {}, "p.jsonl:1: audio .*no.wav"),
        ([{"id": "a", "audio": "p.jsonl", "prediction": "x"}], {}, "p.jsonl:1: audio "),
        ([{"id": "a", "audio": "https://host/a.wav", "prediction": "x"}], {}, "is a link"),
        ([{"id": "a", "prediction": "x"}], {"by": "speaker"}, "by='speaker'.*no row of .*p.jsonl"),
        ([{"id": "a", "error": "x"}], {}, "none has a prediction"),
        ([{"id": "a", "prediction": "x"}], {"out": "/no/such/folder/r.html"}, "does not exist"),
    ],
)
def test_what_cannot_be_reviewed_is_refused(
    rows: list[dict[str, Any]], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    pred = imported.table(tmp_path / "p.jsonl", rows)
    with pytest.raises(triptych.TriptychError, match=message):
        triptych.review_make(pred=pred, **{"out": tmp_path / "r.html", **options})
    assert not (tmp_path / "r.html").exists()
    with pytest.raises(triptych.UsageError, match="needs an export, or pred=FILE"):
        triptych.review_make()


@pytest.mark.parametrize(
    ("text", "chain", "answer"),
    [
        ("plain", None, "plain"),
        ("<think>\nwhy\n</think>\n\nyes", "why", "yes"),
        ("why</think>yes", "why", "yes"),
        ("<think>why</think><RESPONSE>yes</RESPONSE>", "why", "yes"),
        ("<think></think>yes", None, "yes"),
        ("<think>cut off", None, "<think>cut off"),
        ("before <think>why</think>yes", None, "before <think>why</think>yes"),
        ("<think>a</think>b<think>c</think>d", None, "<think>a</think>b<think>c</think>d"),
        ("<think>a</think>b <RESPONSE>c</RESPONSE>", "a", "b <RESPONSE>c</RESPONSE>"),
    ],
)
def test_an_answer_is_taken_apart_only_where_nothing_is_lost(text: str, chain: str | None, answer: str) -> None:
    assert chain_and_rest(text) == (chain, answer)


def test_hidden_characters_are_written_out() -> None:
    assert visible("a\x00b\u202ec\ud800\u2066") == "a[U+0000]b[U+202E]c[U+D800][U+2066]"
    assert visible("two\r\nlines\tand می\u200cروم, émoji 👩\u200d💻") == "two\nlines\tand می\u200cروم, émoji 👩\u200d💻"
    assert json.dumps(visible("\udfff")) == '"[U+DFFF]"'


def test_predictions_for_other_references_or_rows_are_refused(answered: Answered, tmp_path: Path) -> None:
    row = {"id": answered.ids[0], "prediction": "x", "gt": "not this row's"}
    for rows, message in (
        ([row], "made for the reference"),
        ([{"id": "none", "prediction": "x"}], "no prediction is of"),
    ):
        with pytest.raises(triptych.UsageError, match=message):
            triptych.review_make(
                "evaluation-list", pred=imported.table(tmp_path / "p.jsonl", rows), store=answered.store,
                out=tmp_path / "r.html",
            )  # fmt: skip


def test_lines_of_text_are_reviewed_by_their_number(answered: Answered, tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("".join(f"said {number}\n" for number in range(3)))
    made = triptych.review_make(pred=tmp_path / "p.txt", out=tmp_path / "r.html")
    assert {row["id"]: row["answer"] for row in data_of(made.path)["rows"]} == {
        f"line {number + 1}": f"said {number}" for number in range(3)
    }
