"""The one loop: whatever mix of candidates comes, in whatever runs, the account balances and the ids are unique."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.stores import check_accounts, check_media, clip, ingest, leftovers, one, select
from triptych.converters.candidate import Blob, Candidate, Checkpoint, Rejection
from triptych.converters.ingest.ingest import Ingest
from triptych.converters.ingest.options import IngestOptions
from triptych.errors import DamagedError, NetworkError
from triptych.shards.events import Account, Run
from triptych.shards.store.store import Store

Tone = Callable[..., bytes]


@dataclass(frozen=True)
class Item:
    """A candidate of the model: an id, one of a few clips or none that decodes, one of a few texts."""

    kind: str
    name: int
    clip: int
    text: int


ITEMS = st.lists(
    st.builds(
        Item,
        st.sampled_from(["clip", "clip", "clip", "bad media", "missing", "rejection"]),
        st.integers(0, 6),
        st.integers(0, 1),
        st.integers(0, 1),
    ),
    max_size=14,
)
FEW = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


def stream(items: list[Item], tone: Tone) -> Iterator[Candidate | Rejection]:
    for item in items:
        if item.kind == "rejection":
            yield Rejection(f"raw/{item.name}", "bad_row", "made to be rejected")
        elif item.kind == "clip":
            yield clip(f"{item.name}", tone(300 + item.clip), text=f"text {item.text}")
        else:
            blob = Blob("x", data=b"no media") if item.kind == "bad media" else Blob("x", path=Path("/no/such/file"))
            yield Candidate(f"{item.name}", "train", {"text": f"text {item.text}"}, [("audio", blob)])


def expected(runs: list[list[Item]]) -> tuple[dict[str, tuple[int, int]], list[Counter[str]]]:
    """What the store must hold, and the counts of every run, by a model that is a dictionary."""
    held: dict[str, tuple[int, int]] = {}
    counts = []
    for items in runs:
        count: Counter[str] = Counter()
        for item in items:
            name, content = f"d/train/{item.name}", (item.clip, item.text)
            if item.kind != "clip":
                count[{"rejection": "bad_row", "bad media": "not_media", "missing": "missing_media"}[item.kind]] += 1
            elif name not in held:
                held[name] = content
                count["kept"] += 1
            else:
                count["duplicate" if held[name] == content else "id_conflict"] += 1
        counts.append(count)
    return held, counts


@FEW
@given(runs=st.lists(ITEMS, min_size=1, max_size=3), batch=st.sampled_from([1, 3, 10_000]))
def test_any_mix_of_candidates_and_runs_balances(runs: list[list[Item]], batch: int, tone: Tone) -> None:
    held, counts = expected(runs)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("triptych.converters.ingest.ingest.BATCH_ROWS", batch)
        store = Store.create(Path(folder) / "store")
        accounts = [ingest(store, "d", stream(items, tone)).account for items in runs]
        for account, count in zip(accounts, counts, strict=True):
            assert Counter(account.dropped) + Counter({"kept": account.kept}) == count
            assert account.candidates == sum(count.values())
        stored = select(store, "select id, text, audio.sha256 s from samples order by id")
        assert [(row["id"], row["text"]) for row in stored] == [(n, f"text {held[n][1]}") for n in sorted(held)]
        assert len({row["s"] for row in stored}) == len({content[0] for content in held.values()})
        check_accounts(store)
        check_media(store)
        assert leftovers(store.root) == []


@FEW
@given(items=ITEMS, few=st.integers(1, 6), more=st.integers(0, 6), batch=st.sampled_from([1, 10_000]))
def test_a_pull_of_n_is_a_prefix_of_a_pull_of_m(items: list[Item], few: int, more: int, batch: int, tone: Tone) -> None:
    """The first N good ids of the stream are stored, no more and no other, however many bad ones lie between."""
    good = list(dict.fromkeys(f"d/train/{item.name}" for item in items if item.kind == "clip"))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("triptych.converters.ingest.ingest.BATCH_ROWS", batch)
        store = Store.create(Path(folder) / "store")
        for limit in (few, few + more):
            held = int(one(store, "select count(*) from samples"))
            ingest(store, "d", stream(items, tone), limit=limit, held=held)
            stored = {row["id"] for row in select(store, "select id from samples")}
            assert stored == set(good[:limit])
        check_accounts(store)


def test_a_limit_stops_the_source_where_it_is_reached(store: Store, tone: Tone) -> None:
    asked = []

    def source() -> Iterator[Candidate | Rejection]:
        for n in range(100):
            asked.append(n)
            yield Rejection(f"{n}", "bad_row", "x") if n % 2 else clip(f"{n}", tone(300 + n))

    account = ingest(store, "d", source(), limit=3).account
    assert (account.kept, account.candidates) == (3, 5)
    assert asked == [0, 1, 2, 3, 4]


def test_an_id_whose_first_media_is_bad_counts_once_its_second_is_good(store: Store, tone: Tone) -> None:
    bad = Candidate("a", "train", {}, [("audio", Blob("a", data=b"no media"))])
    items = [bad, clip("a", tone()), clip("b", tone(300)), clip("c", tone(400))]
    assert ingest(store, "d", items, limit=2).account.kept == 2
    assert [row["id"] for row in select(store, "select id from samples order by id")] == ["d/train/a", "d/train/b"]


def test_an_event_stands_once_however_often_a_run_meets_it(store: Store, tone: Tone) -> None:
    items = [Rejection("x", "bad_row", "detail"), clip("a", tone()), clip("a", tone(300))]
    for _ in range(3):
        ingest(store, "d", items)
    events = select(store, "select candidate, reason from events order by 1")
    assert events == [{"candidate": "d/train/a", "reason": "id_conflict"}, {"candidate": "x", "reason": "bad_row"}]
    assert one(store, "select count(*) from runs") == 3


def test_two_writers_that_meet_the_same_fault_write_one_event(store: Store, tone: Tone) -> None:
    """The second one read the ledger before the first one wrote."""

    def first() -> Iterator[Candidate | Rejection]:
        ingest(store, "d", [Rejection("x", "bad_row", "detail"), clip("a", tone())])
        yield Rejection("x", "bad_row", "detail")
        yield clip("a", tone())

    account = ingest(store, "d", first()).account
    assert dict(account.dropped) == {"bad_row": 1, "duplicate": 1}
    check_accounts(store)


def test_what_was_read_is_committed_when_the_network_or_the_user_ends_it(store: Store, tone: Tone) -> None:
    for name, error in (("net", NetworkError("gone")), ("user", KeyboardInterrupt())):

        def source(error: BaseException = error) -> Iterator[Candidate]:
            yield clip("a", tone())
            raise error

        with pytest.raises(type(error)):
            ingest(store, name, source())
        assert one(store, f"select count(*) from samples where dataset = '{name}'") == 1


def test_rows_of_a_file_with_a_wrong_sum_are_left_out_and_those_before_it_stay(store: Store, tone: Tone) -> None:
    def source() -> Iterator[Candidate | Rejection | Checkpoint]:
        yield clip("good", tone())
        yield Checkpoint()
        yield Rejection("x", "bad_row", "met on the way")
        yield clip("doubtful", tone(300))
        raise DamagedError("the sum does not agree")

    run = Run("pull", "d", "test", {})
    with pytest.raises(DamagedError):
        Ingest(store, run, IngestOptions()).take(source())
    run.finish(store)
    assert [row["id"] for row in select(store, "select id from samples")] == ["d/train/good"]
    assert (run.account.kept, run.account.candidates) == (1, 2)
    assert one(store, "select count(*) from events") == 1
    check_accounts(store)


def test_an_account_that_lost_a_candidate_fails() -> None:
    account = Account(candidates=3, kept=1)
    account.drop("bad_row")
    with pytest.raises(DamagedError, match="does not balance"):
        account.check_balance(stage="pull")


def test_media_kinds_are_told_by_the_probe_where_nobody_says(store: Store, tone: Tone) -> None:
    items = [Candidate("a", None, {}, [("media", Blob("x.mp4", data=tone(format="WAV")))])]
    ingest(store, "d", items)
    [row] = select(store, "select id, audio.path p, audio.codec c, audio.frames f, modality, panel from samples")
    assert row["p"].endswith(".wav")
    assert (row["id"], row["c"], row["f"]) == ("d/all/a", "pcm_16", 800)
    assert (row["modality"], row["panel"]) == ("audio", "S1")
    wrong = Candidate("b", None, {}, [("video", Blob("b", data=tone()))])
    assert dict(ingest(store, "d", [wrong]).account.dropped) == {"no_video_stream": 1}
