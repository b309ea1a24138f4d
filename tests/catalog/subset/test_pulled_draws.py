"""Pulls that draw: what is stored is what the draw takes, repeated, grown, from any source."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import triptych
from support.cards import SOUNDS, head, put_card
from support.choices import GOOD, SPOKEN, URL, arguments, first, names, ranked, seconds
from support.corpora import archive, noise
from support.loopback import serve
from support.stores import check_accounts, check_media, cli, leftovers, one, select
from triptych.catalog.pull.pull import PullResult

# ---- draws


def test_a_draw_by_hash_is_the_smallest_sums_of_what_is_good(pull: Any, root: Path) -> None:
    done = pull(samples=40, by="hash")
    assert names(root) == first(40)
    tried = ranked(SPOKEN).index(ranked()[39]) + 1
    assert (done.stored, done.reached, done.account.kept) == (40, True, 40)
    assert done.account.candidates == 120 and done.account.dropped["filtered"] == 120 - tried
    assert {row["candidate"].rsplit("/", 1)[-1] for row in select(root, "select candidate from events")} == {
        each.name for each in ranked(SPOKEN)[:tried] if each.n % 10 == 7
    }
    check_media(root)


def test_a_draw_grows_and_the_same_again_does_nothing(pull: Any, root: Path) -> None:
    pull(samples=10, by="hash")
    small = names(root)
    grown = pull(samples=40, by="hash")
    assert small == first(10) and names(root) == first(40)
    assert grown.account.kept == 30 and grown.account.dropped["duplicate"] == 10
    for count in (40, 10):
        again = pull(samples=count, by="hash")
        assert (again.source, again.account.candidates) == (None, 0)
    assert pull(samples=10, by="hash", seed=1).account.kept == len(first(10, seed=1) - first(40))
    assert names(root) == first(40) | first(10, seed=1)


def test_a_draw_of_more_than_there_is_takes_all_and_says_so(pull: Any, root: Path) -> None:
    done = pull(samples=500, by="hash")
    assert names(root) == {each.name for each in GOOD} and not done.reached and done.complete
    again = pull(samples=600, by="hash")
    assert (again.source, again.stored) == (None, len(GOOD))


def test_a_draw_is_the_same_from_a_tree_and_from_a_host(pull: Any, served: Path, tmp_path: Path) -> None:
    import tarfile

    with tarfile.open(served / URL[1:]) as tar:
        tar.extractall(tmp_path / "tree", filter="data")
    pull(into="tree-store", from_path=tmp_path / "tree", samples=15, by="hash", mirror=None)
    with serve(served) as host:
        pull(into="host-store", mirror=host.url(""), samples=15, by="hash")
        pull(into="host-store", mirror=host.url(""), samples=20, by="hash")
        assert host.sent(URL) <= 1.1 * (served / URL[1:]).stat().st_size, "the archive came more than once"
    assert names(tmp_path / "tree-store") == first(15)
    assert names(tmp_path / "host-store") == first(20)


def test_balanced_draws_are_even_and_replace_a_bad_one_by_its_own_stratum(pull: Any, root: Path) -> None:
    pull(samples=24, balance="speaker")
    assert set(Counter(name.split("-")[0] for name in names(root)).values()) == {2}
    for speaker in {each.speaker for each in SPOKEN}:
        of_speaker = [each for each in GOOD if each.speaker == speaker]
        assert {name for name in names(root) if name.startswith(f"{speaker}-")} == first(2, of_speaker)


def test_speakers_are_few_and_whole_and_a_number_is_shared_evenly(pull: Any, root: Path, tmp_path: Path) -> None:
    pull(speakers=3)
    taken = Counter(name.split("-")[0] for name in names(root))
    assert sorted(taken.values()) == [9, 9, 9]
    pull(into="few", speakers=3, samples=6)
    assert Counter(name.split("-")[0] for name in names(tmp_path / "few")) == dict.fromkeys(taken, 2)


def test_hours_of_a_draw_are_the_shortest_that_is_long_enough(pull: Any, root: Path) -> None:
    order, expected, total = ranked(), set(), 0.0
    for each in order:
        if total >= 5.0:
            break
        expected.add(each.name)
        total += seconds(each)
    done = pull(hours=5.0 / 3600, by="hash")
    assert done.reached and names(root) == expected
    pull(hours=9.0 / 3600, by="hash")
    assert expected < names(root)
    assert pull(hours=5.0 / 3600, by="hash").source is None


def test_hours_in_the_order_of_the_source_stop_as_soon_as_they_are_full(pull: Any, root: Path) -> None:
    expected, total = [], 0.0
    for each in GOOD:
        if total >= 5.0:
            break
        expected.append(each.name)
        total += seconds(each)
    done = pull(hours=5.0 / 3600)
    assert done.reached and names(root) == set(expected)
    assert pull(hours=5.0 / 3600).source is None
    pull(hours=6.0 / 3600)
    assert set(expected) < names(root)


def streamed_flac(seed: int) -> bytes:
    """A second of noise whose header does not say how long it is, as an encoder writes it into a pipe."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.random.default_rng(seed).normal(size=16_000) * 0.1, 16_000, format="FLAC")
    data = bytearray(buffer.getvalue())
    data[21] &= 0xF0  # the last 36 of these bits are the number of samples
    data[22:26] = bytes(4)
    return bytes(data)


def test_hours_count_media_whose_header_says_no_length(tmp_path: Path) -> None:
    files: list[tuple[str, bytes]] = []
    for n in range(6):
        files += [(f"train/s{n}.json", b'{"labels": ["Dog"]}'), (f"train/s{n}.flac", streamed_flac(n))]
    archive(tmp_path / "example.org/sounds/train.tar", files)
    cards = put_card(tmp_path / "cards", "sounds", SOUNDS)
    for place, options in (("ordered", {}), ("drawn", {"by": "hash"})):
        for length, expected in ((2.5, 3), (2.5, 3), (3.5, 4)):
            triptych.pull(
                "sounds",
                store=tmp_path / place,
                cards=[cards],
                mirror=tmp_path,
                hours=length / 3600,
                **options,
            )
            assert one(tmp_path / place, "select count(*) from samples where audio.duration is null") == expected


def test_tries_are_limited_in_any_order(pull: Any, root: Path, tmp_path: Path) -> None:
    done = pull(max_tries=10)
    assert names(root) == {each.name for each in SPOKEN[:10]} - {SPOKEN[7].name}
    assert done.account.candidates == 10 and pull(max_tries=10).source is None
    pull(into="drawn", max_tries=10, samples=50, by="hash")
    assert names(tmp_path / "drawn") == {each.name for each in ranked(SPOKEN)[:10] if each.n % 10 != 7}


# ---- what is told


def test_the_first_samples_of_few_speakers_are_worth_a_word(pull: Any, tmp_path: Path) -> None:
    told = "20 samples of 3 speakers; for more speakers: --by hash or --balance speaker"
    assert pull(samples=20).notices == [told]
    assert pull(samples=20, by="hash", into="drawn").notices == []


def test_a_dry_run_says_what_a_draw_costs(served: Path, root: Path) -> None:
    done = cli(*arguments(served, root, "--samples", "10", "--by", "hash", "--dry-run"))
    assert "the whole archive is read, then read again for the drawn samples" in done.stdout
    assert "10 samples (by: hash) wanted" in done.stdout


# ---- a real corpus


@pytest.mark.shared
@pytest.mark.parametrize("source", ["hub", "archive"])
def test_a_draw_from_librispeech_is_mixed_and_the_same_from_every_source(
    shared: Path, tmp_path: Path, source: str
) -> None:
    """test-other lies speaker by speaker; what the mirror has of it is of 7 speakers."""
    options: dict[str, Any] = {"split": "test-other", "mirror": shared / "mirror", "source": source}
    plain = triptych.pull("librispeech", samples=14, store=tmp_path / "plain", **options)
    assert one(tmp_path / "plain", "select count(distinct speaker) from samples") <= 2
    assert plain.notices and "for more speakers: --by hash or --balance speaker" in plain.notices[-1]
    triptych.pull("librispeech", samples=20, balance="speaker", store=tmp_path / "even", **options)
    counts = select(tmp_path / "even", "select speaker, count(*) n from samples group by 1")
    assert sorted(row["n"] for row in counts) == [2, 3, 3, 3, 3, 3, 3]
    triptych.pull("librispeech", samples=10, by="hash", store=tmp_path / "drawn", **options)
    triptych.pull("librispeech", split="test-other", mirror=shared / "mirror", source=source, store=tmp_path / "all")
    ids = [row["id"] for row in select(tmp_path / "all", "select id from samples")]
    ids.sort(key=lambda identity: hashlib.sha256(f"0:{identity}".encode()).hexdigest())
    assert {row["id"] for row in select(tmp_path / "drawn", "select id from samples")} == set(ids[:10])


# ---- clips by links


LINKS = (
    head("links", task="tagging")
    + """
sources:
  - urls: https://example.org/links/train.csv
    reader:
      annotated:
        tables: [{file: train.csv}]
        id: id
        columns: {labels: [label], speaker: who}
        remote: {site: link, url: "{url}", kind: audio}
        media: {audio: "{id}.wav"}
"""
)


def test_a_draw_of_links_fetches_only_what_was_drawn_and_replaces_the_dead(tmp_path: Path) -> None:
    """Every third link is dead."""
    store = tmp_path / "store"
    with serve(tmp_path / "mirror") as host:
        rows = ["id,url,label,who"]
        for n in range(30):
            rows.append(f"c{n:02d},{host.url(f'/clips/c{n:02d}.wav')},{'Dog' if n % 2 else 'Cat'},s{n % 4}")
            if n % 3:
                path = tmp_path / f"mirror/clips/c{n:02d}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(noise(n))
        table = tmp_path / "mirror/example.org/links/train.csv"
        table.parent.mkdir(parents=True)
        table.write_text("\n".join(rows) + "\n")
        cards = put_card(tmp_path / "cards", "links", LINKS)

        def pull(**options: Any) -> PullResult:
            return triptych.pull(
                "links",
                store=store,
                cards=[cards],
                mirror=tmp_path / "mirror",
                private_hosts=True,
                **options,
            )

        order = sorted(range(30), key=lambda n: hashlib.sha256(f"0:links/train/c{n:02d}".encode()).hexdigest())
        good = [n for n in order if n % 3]
        done = pull(samples=8, by="hash")
        assert names(store, "links") == {f"c{n:02d}" for n in good[:8]} and done.reached
        asked = {request.path for request in host.requests if request.path.startswith("/clips/")}
        tried = order[: order.index(good[7]) + 1]
        assert asked == {f"/clips/c{n:02d}.wav" for n in tried}, "nothing else was fetched"
        assert done.account.kept == 8 and done.account.dropped["filtered"] == 30 - len(tried)
        host.requests.clear()
        pull(samples=3, labels="Dog")
        dogs = [n for n in range(30) if n % 2]
        assert {f"c{n:02d}" for n in dogs if n % 3}.issuperset(names(store, "links") - {f"c{n:02d}" for n in good[:8]})
        asked = {request.path for request in host.requests if request.path.startswith("/clips/")}
        assert asked <= {f"/clips/c{n:02d}.wav" for n in dogs}, "what the filter leaves out is not fetched"
        for quarters in (2, 5):
            pull(hours=quarters * 0.25 / 3600, where="speaker = 's1'")
            first_good = [f"c{n:02d}" for n in range(30) if n % 4 == 1 and n % 3][:quarters]
            assert set(first_good) <= names(store, "links"), "the clips are of a quarter of a second"
            assert one(store, "select count(*) from samples where speaker = 's1'") <= quarters + 3
    check_accounts(store)
    check_media(store)
    assert leftovers(store) == []
