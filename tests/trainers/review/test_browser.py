"""The page for review in a real browser: play, click, type, close, save, load; what is saved is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import triptych
from support.browser import Browser, browser

from .conftest import Answered, data_of


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


def test_a_review_from_the_first_sound_to_the_shares(opened: Browser, answered: Answered, tmp_path: Path) -> None:
    page = answered.make(tmp_path / "review.html").path
    rows = data_of(page)["rows"]
    opened.open(page)
    opened.click("[data-verdict=right]")
    assert opened.text("#counts").startswith("0 of 9"), "no verdict of nobody"
    opened.type("#reviewer", "Ann")
    opened.key(" ")
    assert opened.wait("document.querySelector('audio').currentTime > 0")
    opened.click("[data-verdict=right]")
    assert opened.text("#place") == "Row 2 of 9"
    opened.key("3")
    opened.key("2")
    opened.key("p")
    opened.type("#note", '=note "1", <b>\nsecond line')
    assert opened.text("#counts") == "3 of 9: 1 right, 1 partly, 1 wrong"

    opened.open(page)  # as if the tab had been closed
    assert opened.run("document.querySelector('#reviewer').value") == "Ann"
    assert opened.text("#counts") == "3 of 9: 1 right, 1 partly, 1 wrong"
    opened.type("#reviewer", "Ben")
    assert opened.text("#counts").startswith("0 of 9"), "Ben does not see what Ann says"
    opened.key("u")
    opened.key("1")
    opened.type("#reviewer", "Ann")
    opened.click("#save")
    saved = opened.downloaded("review-*-Ann.csv")

    found = triptych.review_read(saved, page=page, annotate=False)
    [ann] = found.reviewers
    assert [(each.verdict, each.count) for each in ann.shares] == [("right", 1), ("partly", 1), ("wrong", 1)]
    assert list(ann.unjudged) == [row["id"] for row in rows[3:]]
    written = triptych.review_read(saved, store=answered.store, key="in the browser").written
    assert written is not None and written.annotations == 4
    notes = triptych.query("select value from annotations where key = 'in the browser_note'", store=answered.store)
    assert notes.to_pylist() == [{"value": '=note "1", <b>\nsecond line'}]

    opened.run("localStorage.clear()")
    opened.open(page)
    assert opened.text("#counts").startswith("0 of 9")
    opened.choose_file("#load", saved)
    opened.wait("document.querySelector('#counts').textContent.startsWith('3 of 9')")
    assert opened.run("document.querySelector('#note').value || true") is True
    opened.key("p")
    other = tmp_path / "other.csv"
    other.write_text(saved.read_text().replace(data_of(page)["page"], "another"))
    opened.choose_file("#load", other)
    opened.wait("document.querySelector('#said').textContent.includes('is not a review of this page')")

    assert opened.faults == []
    assert {request.partition(":")[0] for request in opened.requests} <= {"file", "data", "blob"}


def test_hostile_text_stays_text_and_media_beside_the_page_play(
    opened: Browser, answered: Answered, tmp_path: Path
) -> None:
    page = answered.make(tmp_path / "page for review.html", embed=False).path
    opened.open(page)
    number = next(place for place, row in enumerate(data_of(page)["rows"]) if "alert" in row["answer"])
    opened.run(f"(() => {{ const rows = document.querySelector('#goto'); rows.value = '{number}'; "
               "rows.dispatchEvent(new Event('change')); })()")  # fmt: skip
    assert "<script>alert(1)</script>" in opened.text("#texts") and "[U+202E]" in opened.text("#texts")
    assert opened.run("document.querySelectorAll('#texts script, #texts img').length") == 0
    opened.key(" ")
    opened.wait("document.querySelector('audio').currentTime > 0")
    assert opened.faults == []
