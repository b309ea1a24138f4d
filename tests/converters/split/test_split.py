"""`split` over a store: groups reach over keys and links, held-out samples stay held out, certificates are checked."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import duckdb
import pytest
import triptych
from support import imported
from support.stores import check_accounts, cli, cli_json, places_of, select
from triptych.errors import DamagedError, ProblemsFound, UsageError
from triptych.shards.split_roles import effective_role_sql

SPEAKERS = 12


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`talks`, 36 samples of 12 speakers, one of t0 in the corpus's test; `clips` of YouTube; `plain` of nobody.

    Of the clips, c0 and c1 are of one video, and c2 has the sound of one of t5's talks.
    """
    folder = tmp_path_factory.mktemp("split")
    talks = imported.speech_rows(folder / "in", 36, split="train")
    for number, row in enumerate(talks):
        row["speaker"] = f"t{number % SPEAKERS}"
    talks[12]["split"] = "test"
    store = imported.bring_in(folder / "store", "talks", talks, folder)
    clips = imported.speech_rows(folder / "clips", 3, start=50, split="train")
    for number, (row, video) in enumerate(zip(clips, ("abcdefghijk", "abcdefghijk", "ABCDEFGHIJK"), strict=True)):
        row |= {"id": f"c{number}", "youtube_id": video}
    clips[2]["audio"] = talks[5]["audio"]
    imported.bring_in(store, "clips", clips, folder)
    plain = imported.speech_rows(folder / "plain", 2, start=70, split=None)
    return imported.bring_in(store, "plain", plain, folder)


@pytest.fixture
def store(base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "store"))


def splits_of(store: Path, key: str, where: str = "true") -> dict[Any, set[str]]:
    found: dict[Any, set[str]] = defaultdict(set)
    for row in select(store, f"SELECT {key} AS key, assigned_split AS split FROM samples WHERE {where}"):
        found[row["key"]].add(row["split"])
    return dict(found)


def test_no_speaker_is_in_two_splits_and_test_stays_test(store: Path) -> None:
    result = triptych.split("talks", by="speaker", store=store)
    of_speaker = splits_of(store, "speaker", "dataset = 'talks'")
    assert all(len(found) == 1 for found in of_speaker.values()) and len(of_speaker) == SPEAKERS
    assert of_speaker["t0"] == {"test"}
    assert any("3 samples stay held out with the corpus's own" in note for note in result.notes)
    # What t5 says is also a clip that is not split here, and so stays in train.
    assert of_speaker["t5"] == {"train"} and any("that are not split here" in note for note in result.notes)
    assert {name: facts["groups"] for name, facts in result.splits.items()} == {
        "train": 10, "validation": 1, "test": 1,
    }  # fmt: skip
    assert select(store, "SELECT DISTINCT split FROM samples WHERE dataset = 'talks' ORDER BY 1") == [
        {"split": "test"}, {"split": "train"},
    ]  # fmt: skip
    again = triptych.split("talks", by="speaker", store=store)
    assert (again.assigned, again.unchanged) == (0, 36)
    document = json.loads(result.certificate.read_text())
    assert document["by"] == "speaker" and sum(map(len, document["group_hashes"].values())) == SPEAKERS
    assert "t3" not in result.certificate.read_text().replace("test", "")
    check_accounts(store)


def test_samples_that_come_later_move_nobody(store: Path, tmp_path: Path) -> None:
    triptych.split("talks", by="speaker", store=store)
    before = splits_of(store, "id", "dataset = 'talks'")
    more = imported.speech_rows(tmp_path / "more", 24, start=100, split="train")
    for number, row in enumerate(more):
        row["speaker"] = f"t{number}"
    imported.bring_in(store, "later", more, tmp_path)
    triptych.annotate("talks/train/utt001", "speaker", "t1", store=store)
    triptych.split(["talks", "later"], by="speaker", store=store)
    after = splits_of(store, "id", "dataset = 'talks'")
    assert after == before
    assert set().union(*splits_of(store, "id", "dataset = 'later'").values()) == {"train", "validation", "test"}


def test_links_join_what_the_key_keeps_apart(store: Path) -> None:
    result = triptych.split(["talks", "clips"], by="source_video", ungrouped="own", balance="rows", store=store)
    of_clip = splits_of(store, "id", "dataset = 'clips'")
    assert of_clip["clips/train/c0"] == of_clip["clips/train/c1"]
    of_sound = splits_of(store, "audio.sha256", "dataset <> 'plain'")
    assert all(len(found) == 1 for found in of_sound.values())
    assert any("34 samples have no value of the key" in note for note in result.notes)


def test_samples_without_a_key_are_refused_or_as_asked(store: Path) -> None:
    with pytest.raises(UsageError, match="2 of 38 samples have no value of by= speaker") as raised:
        triptych.split(["talks", "plain"], by="speaker", store=store)
    assert "--ungrouped own" in str(raised.value.hint)
    assert select(store, "SELECT 1 FROM annotations") == []
    for how, expected in (("train", {"train"}), ("drop", {"ungrouped"})):
        triptych.split(["talks", "plain"], by="speaker", ungrouped=how, store=store)
        assert splits_of(store, "dataset", "dataset = 'plain'") == {"plain": expected}
    assert triptych.export("unified", split="train", dataset="talks", store=store).counts["written"] == 30
    with pytest.raises(UsageError, match="Splits: ungrouped"):
        triptych.export("unified", split="train", no_split="keep", dataset="plain", store=store)


def test_what_is_held_out_moves_only_if_asked(store: Path) -> None:
    shares = "train=1,dev=1"
    result = triptych.split("talks", by="speaker", shares=shares, store=store)
    assert splits_of(store, "speaker", "speaker = 't0'") == {"t0": {"test"}} and result.splits["test"]["groups"] == 1
    seeds = range(8)
    moved = []
    for seed in seeds:
        asked = triptych.split("talks", by="speaker", shares=shares, seed=seed, override_splits=True, store=store)
        moved += [note for note in asked.notes if "validation or test splits are in other splits now" in note]
        if moved:
            break
    assert moved and "1 samples of the corpus's own" in moved[0]


def test_what_another_split_has_held_out_moves_only_if_asked(store: Path) -> None:
    def ids(split: str) -> set[str]:
        return {row["id"] for row in select(store, f"SELECT id FROM samples WHERE assigned_split {split}")}

    triptych.split("talks", by="speaker", balance="rows", override_splits=True, store=store)
    held_out = ids("<> 'train'")
    for seed in range(4):
        triptych.split("talks", by="speaker", seed=seed, store=store)
        assert held_out and ids("<> 'train'") >= held_out
    freed = 0
    for seed in range(1, 9):
        before = ids("<> 'train'")
        notes = triptych.split("talks", by="speaker", seed=seed, override_splits=True, store=store).notes
        moved = before & ids("= 'train'")
        assert any(f", {len(moved)} of them one of validation or test" in note for note in notes) == bool(moved)
        freed += len(moved)
    assert freed


def test_a_split_by_hand_is_kept(store: Path) -> None:
    triptych.annotate([(f"talks/train/utt{n:03d}", "assigned_split", "validation") for n in (3, 15)], store=store)
    triptych.split("talks", by="speaker", store=store)
    assert splits_of(store, "speaker", "speaker = 't3'") == {"t3": {"validation"}}


def test_a_group_never_ends_up_in_two_splits(store: Path) -> None:
    """One sample of t0 is test data; whoever splits the other two alone leaves it there."""
    triptych.split("talks", by="speaker", where="split = 'train'", store=store)
    assert splits_of(store, "speaker", "speaker = 't0' AND split = 'train'") == {"t0": {"test"}}
    with pytest.raises(ProblemsFound, match="would be empty"):
        triptych.split("talks", by="dataset", store=store)
    triptych.annotate("clips/train/c2", "assigned_split", "test", store=store)
    with pytest.raises(ProblemsFound, match=r"1 groups would be in two splits.*talks/train/utt005 in train"):
        triptych.split("talks", by="speaker", where="speaker <> 't5' or id <> 'talks/train/utt005'", store=store,
                       override_splits=True)  # fmt: skip


def test_check_names_what_broke_and_how_to_mend_it(store: Path) -> None:
    assert cli("split", "--check", "--store", store).stdout.startswith("no sample has a split")
    triptych.split("talks", by="speaker", balance="rows", store=store)
    [held] = triptych.check_splits(store=store)
    assert held.holds and held.samples == 36 and held.groups == SPEAKERS and not held.unassigned
    [row] = select(store, "SELECT min(id) AS id FROM samples WHERE assigned_split = 'train' AND speaker = 't4'")
    triptych.annotate(row["id"], "assigned_split", "test", store=store)
    done = cli("split", "--check", "--store", store)
    assert done.returncode == 1 and "1 group is in two splits" in done.stdout
    [broken] = triptych.check_splits(store=store)
    assert (
        row["id"] in broken.first and f"  {broken.broken_samples} samples: {', '.join(broken.first)}\n" in done.stdout
    )
    [again] = [line.split("next: triptych ")[1] for line in done.stdout.splitlines() if "next:" in line]
    triptych.annotate(row["id"], "assigned_split", clear=True, store=store)
    assert cli(*again.split(), "--store", store).returncode == 0
    assert all(each["broken_groups"] == 0 for each in cli_json("split", "--check", "--store", store))


def test_a_changed_certificate_is_damage(store: Path) -> None:
    path = triptych.split("talks", by="speaker", store=store).certificate
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(DamagedError, match="or was changed"):
        triptych.check_splits(store=store)
    path.unlink()
    with pytest.raises(DamagedError, match="No such file"):
        triptych.check_splits(store=store)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs --by|by="),
        ({"by": "nocolumn"}, "nocolumn"),
        ({"by": "random()"}, "not deterministic"),
        ({"by": "speaker", "shares": "train=1"}, "names one split"),
        ({"by": "speaker", "shares": "Train=1,test=1"}, "not a valid name"),
        ({"by": "speaker", "datasets": "tlks"}, "no dataset 'tlks'"),
        ({"by": "speaker", "where": "false"}, "nothing to split"),
    ],
)
def test_a_bad_request_writes_nothing(base: Path, options: dict[str, Any], message: str) -> None:
    datasets = options.get("datasets", ())
    rest = {name: value for name, value in options.items() if name != "datasets"}
    with pytest.raises((UsageError, ProblemsFound), match=message):
        triptych.split(datasets, store=base, **rest)
    assert select(base, "SELECT 1 FROM annotations") == []


def test_an_export_checks_the_certificate_again(store: Path, tmp_path: Path) -> None:
    triptych.split("talks", by="speaker", store=store)
    request = {"dataset": ["talks", "later"], "split": "train", "store": store}
    held = triptych.export("unified", dataset="talks", split="train", store=store)
    [certificate] = held.version.manifest["split_certificates"]
    assert certificate["by"] == "speaker" and certificate["samples"] == 36 and certificate["broken_samples"] == 0
    late = imported.speech_rows(tmp_path / "late", 1, start=90, split="train", speaker="t0")
    imported.bring_in(store, "talks", late, tmp_path)
    imported.bring_in(store, "later", imported.speech_rows(tmp_path / "l", 1, start=95, speaker="t0"), tmp_path)
    with pytest.raises(
        ProblemsFound, match=r"1 selected samples are of groups by speaker .* talks/train/utt090"
    ) as raised:
        triptych.export("unified", **request)
    assert "triptych split talks --by speaker" in str(raised.value.hint)
    dropped = triptych.export("unified", broken_splits="drop", **request)
    assert dropped.counts["group_in_two_splits"] == 1 and dropped.counts["written"] == held.counts["written"] + 1
    kept = triptych.export("unified", broken_splits="keep", **request)
    assert kept.counts["written"] == dropped.counts["written"] + 1
    assert any("1 sample is of groups by speaker" in warning for warning in kept.warnings)
    triptych.split("talks", by="speaker", store=store)
    assert triptych.export("unified", **request).counts["written"] == dropped.counts["written"]
    check_accounts(store)


def test_an_assigned_split_of_a_roles_name_has_that_role(tmp_path: Path) -> None:
    """A card may call its test set `train`, as hubs do; what is assigned later means what it says."""
    roles = {"omni": {"train": "test"}}
    with duckdb.connect() as connection:
        for assigned, role in (("train", "train"), ("validation", "validation"), (None, "test")):
            sql = effective_role_sql(roles, assigned="$1", split="coalesce($1, 'train')")
            found = connection.execute(f"SELECT {sql} FROM (SELECT 'omni' AS dataset)", [assigned]).fetchall()
            assert found == [(role,)]


def test_a_purge_leaves_nothing_of_a_speaker_in_a_certificate(store: Path) -> None:
    named = "CASE speaker WHEN 't3' THEN 'Somebody Withdrawn' ELSE speaker END"
    triptych.annotate([(f"talks/train/utt{n:03d}", "speaker", "Somebody Withdrawn") for n in (3, 15, 27)], store=store)
    triptych.split("talks", by=named, store=store)
    triptych.store.remove("talks", where="speaker = 'Somebody Withdrawn'", purge=True, store=store)
    assert places_of(store, ["Somebody Withdrawn"]) == []
