"""The role of a split that no card states is guessed from its name, and never from half of it."""

from __future__ import annotations

import pytest
from triptych.shards.split_roles import role_sql
from triptych.shards.store.database import session

ROLES = {
    "train": "train", "training": "train", "train-clean-100": "train", "Train_other": "train", "trainval": "train",
    "train_devices": "train", "train_test": None, "train-dev": None, "TRAIN_eval92": None, "test_train": "test",
    "dev-other": "validation", "val": "validation", "all": None,
}  # fmt: skip


@pytest.mark.parametrize(("split", "role"), ROLES.items())
def test_a_name_that_says_both_has_no_role(split: str, role: str | None) -> None:
    with session() as connection:
        assert connection.execute(f"SELECT {role_sql({}, split='$1')}", [split]).fetchone() == (role,)
