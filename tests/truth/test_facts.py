"""What a store says of a file is what a decode gives, or nothing; and validation rejects no file that is whole."""

from __future__ import annotations

from typing import Any

import pytest
import triptych
from support.imported import bring_in
from support.stores import select
from truth import chirps, films
from truth.forms import FORMS, written
from truth.utterances import PADDING_S, Utterance

Facts = dict[str, dict[str, Any]]
CHANNELS = 2


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """The stored sample of a clip in every form, with its verdict and reasons."""
    folder = tmp_path_factory.mktemp("facts")
    rows = [
        {
            "id": name.replace(" ", "-"),
            "video" if form.film else "audio": str(written(folder, name, 8, CHANNELS, stem=name.replace(" ", "-"))),
            "text": Utterance(name, 8).text,
        }
        for name, form in FORMS.items()
    ]
    store = bring_in(folder / "store", "forms", rows, folder, values={"task": "captioning"})
    triptych.validate(store=store)
    sql = "select s.text, s.audio, s.video, v.verdict, v.reasons from samples s left join verdicts v using (id)"
    return {row["text"]: row for row in select(store, sql)}


@pytest.mark.parametrize("name", FORMS)
def test_what_is_stored_of_a_file_is_what_a_decode_gives(name: str, facts: Facts) -> None:
    form, row = FORMS[name], facts[Utterance(name, 8).text]
    if form.film:
        video = row["video"]
        assert (video["width"], video["height"], video["has_audio"]) == (films.WIDTH, films.HEIGHT, True)
        assert video["fps"] == films.FPS
        assert video["frames"] in (None, chirps.SECONDS * films.FPS)
    else:
        audio = row["audio"]
        assert (audio["sample_rate"], audio["channels"]) == (form.rate, CHANNELS)
        assert audio["frames"] is None or abs(audio["frames"] / form.rate - chirps.SECONDS) <= PADDING_S
    stored = row["video" if form.film else "audio"]
    assert stored["codec"] == form.codec
    assert stored["duration"] is None or stored["duration"] == pytest.approx(chirps.SECONDS, abs=PADDING_S)


@pytest.mark.parametrize("name", FORMS)
def test_validation_rejects_no_file_that_is_whole(name: str, facts: Facts) -> None:
    row = facts[Utterance(name, 8).text]
    assert row["verdict"] in ("keep", "warn"), row["reasons"]
