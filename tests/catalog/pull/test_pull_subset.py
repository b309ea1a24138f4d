"""Pulls that choose: what is stored is what the choice says, however it is cut, repeated, grown or killed."""

from __future__ import annotations

import hashlib
import io
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import triptych
from support.corpora import Utterance, archive, card, members, noise
from support.loopback import serve
from support.processes import finish, kill_once, start
from support.stores import check_accounts, check_media, cli, leftovers, media_files, one, select
from triptych.catalog.pull.pull import PullResult
from triptych.errors import UsageError

URL = "/example.org/words/train.tar.gz"
SPOKEN = [Utterance("train", n, frames=2_000 + 200 * (n % 7)) for n in range(120)]
GOOD = [each for each in SPOKEN if each.n % 10 != 7]
SIDECAR_CARD = """
name: sounds
title: Sounds
panel: S1
modality: audio
tasks: [tagging]
languages: [en]
license: CC0-1.0
splits: {train: train}
sources:
  - archive: https://example.org/sounds/train.tar
    reader: sidecar
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror of 120 utterances of 12 speakers, of which 12 are broken, and of 12 labelled sounds."""
    folder = tmp_path_factory.mktemp("served")
    files = [(name, b"broken" if name.endswith("7.wav") else data) for name, data in members(SPOKEN)]
    path = archive(folder / URL[1:], files)
    card(folder / "cards", sums={"train": path})
    labels = [["Dog"], ["Cat", "Music"], ["Speech"]]
    sounds: list[tuple[str, bytes]] = []
    for n in range(12):
        sidecar = {"labels": labels[n % 3], "extra": {"room": str(n % 2)}}
        sounds += [(f"train/s{n}.json", json.dumps(sidecar).encode()), (f"train/s{n}.wav", noise(n))]
    archive(folder / "example.org/sounds/train.tar", sounds)
    (folder / "cards/sounds.yaml").write_text(SIDECAR_CARD)
    return folder


@pytest.fixture
def pull(served: Path, tmp_path: Path) -> Iterator[Any]:
    """`pull(...)` into the store of the test."""

    def call(name: str = "words", *, into: str = "store", **options: Any) -> PullResult:
        if name == "words":
            options.setdefault("split", "train")
        options.setdefault("mirror", served)
        result = triptych.pull(name, store=tmp_path / into, cards=[served / "cards"], **options)
        check_accounts(tmp_path / into)
        assert leftovers(tmp_path / into) == []
        return result

    yield call


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


def names(root: Path, dataset: str = "words") -> set[str]:
    return {row["id"].rsplit("/", 1)[-1] for row in select(root, f"select id from samples where dataset = '{dataset}'")}


def ranked(utterances: list[Utterance] = GOOD, seed: int = 0) -> list[Utterance]:
    """By SHA-256 of seed and id, as anybody can compute it."""
    return sorted(utterances, key=lambda u: hashlib.sha256(f"{seed}:words/train/{u.name}".encode()).hexdigest())


def first(count: int, utterances: list[Utterance] = GOOD, seed: int = 0) -> set[str]:
    return {each.name for each in ranked(utterances, seed)[:count]}


def arguments(served: Path, store: Path, *more: str | Path) -> list[str | Path]:
    return ["catalog", "pull", "words", "--split", "train", "--mirror", served, "--cards", served / "cards",
            "--store", store, *more]  # fmt: skip


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
    started = time.perf_counter()
    for count in (40, 10):
        again = pull(samples=count, by="hash")
        assert (again.source, again.account.candidates) == (None, 0)
    assert time.perf_counter() - started < 4
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


def seconds(utterance: Utterance) -> float:
    return utterance.frames / 16_000


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
    card_file = tmp_path / "cards/sounds.yaml"
    card_file.parent.mkdir()
    card_file.write_text(SIDECAR_CARD)
    for place, options in (("ordered", {}), ("drawn", {"by": "hash"})):
        for seconds, expected in ((2.5, 3), (2.5, 3), (3.5, 4)):
            triptych.pull(
                "sounds",
                store=tmp_path / place,
                cards=[card_file.parent],
                mirror=tmp_path,
                hours=seconds / 3600,
                **options,
            )
            assert one(tmp_path / place, "select count(*) from samples where audio.duration is null") == expected


def test_tries_are_limited_in_any_order(pull: Any, root: Path, tmp_path: Path) -> None:
    done = pull(max_tries=10)
    assert names(root) == {each.name for each in SPOKEN[:10]} - {SPOKEN[7].name}
    assert done.account.candidates == 10 and pull(max_tries=10).source is None
    pull(into="drawn", max_tries=10, samples=50, by="hash")
    assert names(tmp_path / "drawn") == {each.name for each in ranked(SPOKEN)[:10] if each.n % 10 != 7}


# ---- filters


def test_where_takes_what_it_says_and_counts_the_rest_without_events(pull: Any, root: Path) -> None:
    done = pull(where="speaker in ('101', '103') and extra['chapter_id'] = '1'")
    assert names(root) == {each.name for each in GOOD if each.speaker in ("101", "103")}
    assert dict(done.account.dropped) == {"filtered": 100, "not_media": 2}
    assert one(root, "select count(*) from events") == 2
    assert pull(where="speaker in ('101', '103') and extra['chapter_id'] = '1'").source is None


def test_samples_count_those_of_the_choice_whatever_else_is_stored(pull: Any, root: Path) -> None:
    pull(samples=30)
    pull(samples=15, where="speaker >= '102'")
    assert names(root) == {each.name for each in GOOD[:33]}, "12 of the 30 are of 102 and later; 3 more make 15"


def test_samples_of_a_choice_grow(pull: Any, root: Path) -> None:
    chosen = [each.name for each in GOOD if each.speaker >= "105"]
    done = pull(samples=5, where="speaker >= '105'")
    assert names(root) == set(chosen[:5]) and (done.stored, done.reached) == (5, True)
    done = pull(samples=20, where="speaker >= '105'")
    assert names(root) == set(chosen[:20]) and done.account.dropped["duplicate"] == 5
    again = pull(samples=20, where="speaker >= '105'")
    assert again.source is None and again.stored == 20


def test_what_only_a_choice_has_read_is_not_read_for_everybody(pull: Any, root: Path) -> None:
    pull(where="speaker = '100'")
    done = pull()
    assert done.account.kept == len(GOOD) - 9 and names(root) == {each.name for each in GOOD}
    assert pull(where="speaker = '111'").source is None, "all of it is stored"
    removed = cli("store", "remove", "--where", "speaker = '111'", "--store", root)
    assert removed.returncode == 0, removed.stderr
    assert pull(where="speaker = '111'").account.dropped["withdrawn"] == 9


def test_labels_take_any_of_them(pull: Any, root: Path) -> None:
    done = pull("sounds", labels="dog,Music")
    assert names(root, "sounds") == {f"s{n}" for n in range(12) if n % 3 != 2}
    assert done.account.dropped == {"filtered": 4}
    typo = pull("sounds", labels="Dogg", into="typo")
    assert typo.account.dropped == {"filtered": 12}
    assert typo.notices == ["--labels: no candidate has the label 'Dogg' (there is 'Dog')"]


def test_a_draw_can_be_one_of_what_a_filter_leaves(pull: Any, root: Path) -> None:
    pull(samples=10, by="hash", where="speaker in ('100', '101')")
    assert names(root) == first(10, [each for each in GOOD if each.speaker in ("100", "101")])


def test_listed_ids_are_taken_and_the_others_told(pull: Any, root: Path, served: Path, tmp_path: Path) -> None:
    wanted = [SPOKEN[3].name, f"words/train/{SPOKEN[44].name}"]
    path = tmp_path / "ids.txt"
    path.write_text("\n".join([*wanted, "nobody", SPOKEN[7].name]))
    done = cli(*arguments(served, root, "--ids", path))
    assert done.returncode == 1, done.stderr
    assert "1 of the listed ids are not in words" in done.stdout
    assert names(root) == {SPOKEN[3].name, SPOKEN[44].name}
    told = {(row["candidate"], row["reason"]) for row in select(root, "select candidate, reason from events")}
    assert told == {("nobody", "not_found"), (f"words/train/{SPOKEN[7].name}", "not_media")}
    again = cli(*arguments(served, root, "--ids", path))
    assert again.returncode == 1 and "nothing to fetch" in again.stdout
    path.write_text("\n".join(wanted))
    assert cli(*arguments(served, root, "--ids", path)).returncode == 0
    check_accounts(root)


def test_listed_spans_are_samples_but_not_with_the_text_of_the_whole(pull: Any, root: Path, tmp_path: Path) -> None:
    path = tmp_path / "spans.csv"
    path.write_text(f"id,start,end\n{SPOKEN[3].name},0,0.05\n{SPOKEN[4].name},,\n")
    pull()
    done = pull(ids=path)
    assert done.account.kept == 0 and done.account.dropped["duplicate"] == 1
    [event] = select(root, "select candidate, reason from events where candidate like '%@%'")
    assert event == {"candidate": f"words/train/{SPOKEN[3].name}@0-0.05", "reason": "transcript_of_whole"}
    path.write_text("id,start,end\ns0,0,0.05\ns0,0.05,0.1\ns1,,\n")
    pull("sounds", ids=path)
    rows = select(
        root, "select id, start_s, end_s, labels, audio.sha256 s from samples where id like '%@%' order by id"
    )
    assert [(row["id"], row["start_s"], row["end_s"]) for row in rows] == [
        ("sounds/train/s0@0-0.05", 0.0, 0.05),
        ("sounds/train/s0@0.05-0.1", 0.05, 0.1),
    ]
    assert {(tuple(row["labels"]), row["s"]) for row in rows} == {(("Dog",), hashlib.sha256(noise(0)).hexdigest())}
    assert pull("sounds", ids=path).source is None


# ---- parts


def test_two_parts_at_once_are_the_whole(served: Path, pull: Any, root: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(lambda part: cli(*arguments(served, root, "--part", part)), ("1/2", "2/2")))
    assert [end.returncode for end in ends] == [1, 1], "the broken clips are rejected"
    pull(into="whole")
    rows = "select * exclude (pulled_at, audio_file, video_file, image_file) from samples order by id"
    assert select(root, rows) == select(tmp_path / "whole", rows)
    events = "select * exclude (run_id, time) from events order by candidate, reason"
    assert select(root, events) == select(tmp_path / "whole", events)
    assert media_files(root) == media_files(tmp_path / "whole")
    kept = [row["kept"] for row in select(root, "select kept from runs")]
    assert sum(kept) == len(GOOD) and min(kept) > 30
    check_accounts(root)
    check_media(root)


# ---- killed


@pytest.mark.parametrize(
    "options",
    [("--samples", "40", "--by", "hash"), ("--samples", "40", "--where", "speaker <> '100'")],
    ids=["a draw", "a filter"],
)
def test_killed_and_run_again_a_choice_equals_one_undisturbed_run(
    served: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    rows = "select * exclude (pulled_at, audio_file, video_file, image_file) from samples order by id"
    events = "select * exclude (run_id, time) from events order by candidate, reason"
    killed, store, seeded = 0, tmp_path / "killed", random.Random(4)
    with serve(served) as quick:
        finish(start(quick, tmp_path / "calm", "words", *options))
    with serve(served) as host:
        host.fault(URL, delay=0.01)
        size = (served / URL[1:]).stat().st_size
        for share in (0.1, 0.4, 0.7):
            process = start(host, store, "words", *options)
            killed += kill_once(process, lambda: host.sent(URL), share * size, later=seeded.uniform(0.0, 0.1))
        finish(start(host, store, "words", *options))
    assert killed >= 2
    assert select(store, rows) == select(tmp_path / "calm", rows) and one(store, "select count(*) from samples") == 40
    assert select(store, events) == select(tmp_path / "calm", events)
    assert media_files(store) == media_files(tmp_path / "calm")
    check_accounts(store)
    assert leftovers(store) == []


# ---- what is told


def test_the_first_samples_of_few_speakers_are_worth_a_word(pull: Any, tmp_path: Path) -> None:
    told = "20 samples of 3 speakers; for more speakers: --by hash or --balance speaker"
    assert pull(samples=20).notices == [told]
    assert pull(samples=20, by="hash", into="drawn").notices == []


def test_a_dry_run_says_what_a_draw_costs(served: Path, root: Path) -> None:
    done = cli(*arguments(served, root, "--samples", "10", "--by", "hash", "--dry-run"))
    assert "the whole archive is read, then read again for the drawn samples" in done.stdout
    assert "10 samples (by: hash) wanted" in done.stdout


def test_a_choice_that_cannot_be_makes_no_store(pull: Any, root: Path) -> None:
    with pytest.raises(UsageError, match="nobody"):
        triptych.pull("words", store=root, where="nobody = 1")
    assert not root.exists()


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

LINKS_CARD = """
name: links
title: Links
panel: S1
modality: audio
tasks: [tagging]
languages: [en]
license: CC0-1.0
splits: {train: train}
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
        (tmp_path / "cards").mkdir()
        (tmp_path / "cards/links.yaml").write_text(LINKS_CARD)

        def pull(**options: Any) -> PullResult:
            return triptych.pull(
                "links",
                store=store,
                cards=[tmp_path / "cards"],
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
