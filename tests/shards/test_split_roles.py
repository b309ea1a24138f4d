"""The role of a split that no card states is guessed from its name, and never from half of it."""

from __future__ import annotations

import pytest
from triptych.shards.split_roles import guessed_role, is_held_out, role_sql
from triptych.shards.store.database import session

ROLES = {
    "train": "train", "training": "train", "train-clean-100": "train", "Train_other": "train", "trainval": "train",
    "train_devices": "train", "train_test": None, "train-dev": None, "TRAIN_eval92": None, "test_train": "test",
    "dev-other": "validation", "val": "validation", "all": None, "en_test": "test", "asr.dev": "validation",
    "HeldOut": "test", "core-test": "test", "dt_eval92": "test", "en_train_test": None, "contest": None,
    "validated_en": "validation",
}  # fmt: skip


@pytest.mark.parametrize(("split", "role"), ROLES.items())
def test_a_name_that_says_both_has_no_role(split: str, role: str | None) -> None:
    assert guessed_role(split) == role
    assert is_held_out(split) == (role in ("validation", "test")), "asked for alone"
    with session() as connection:
        assert connection.execute(f"SELECT {role_sql({}, split='$1')}", [split]).fetchone() == (role,)
