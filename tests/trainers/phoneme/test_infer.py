"""What is asked of a model: each clip once, each the published one, and phones that it can know."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from triptych.errors import UsageError
from triptych.trainers.phoneme.infer import _asked, _check_references
from triptych.trainers.phoneme.options import PhonemeInferOptions


def asked(*audio: Path, store: Path | None = None, **options: Any) -> list[Any]:
    return _asked(audio, PhonemeInferOptions.of(**options), store)


def test_clips_of_one_name_are_told_apart(tmp_path: Path) -> None:
    clips = [tmp_path / name for name in ("a/x.wav", "b/x.wav", "y.wav")]
    for clip in clips:
        clip.parent.mkdir(exist_ok=True)
        clip.touch()
    assert [each.id for each in asked(*clips)] == [str(clips[0]), str(clips[1]), "y.wav"]
    with pytest.raises(UsageError, match="named twice"):
        asked(clips[2], clips[2])


def test_a_clip_that_is_not_the_published_one_is_not_heard(phone_store: Path) -> None:
    first, _ = asked(export="phones-test", store=phone_store)
    clip = Path(first.audio)
    written = clip.read_bytes()
    clip.unlink()
    clip.write_bytes(written[:44] + bytes(len(written) - 44))  # another sound of its length
    try:
        found = asked(export="phones-test", store=phone_store)
    finally:
        clip.write_bytes(written)
    assert [str(each.fault).partition(":")[0] for each in found] == ["changed_media", "None"]
    assert found[0].reference == first.reference  # it counts as deleted


def test_answers_without_any_phone_of_the_model_are_no_phones(phone_store: Path) -> None:
    rows = asked(export="phones-test", store=phone_store)
    for known in (("sh", "iy"), ("a", "word")):
        model: Any = SimpleNamespace(vocabulary=SimpleNamespace(phones=known))
        if known == ("sh", "iy"):
            _check_references(rows, model, "phones-test")
        else:
            with pytest.raises(UsageError, match="no label of its answers is a phone of the model: ae d hh"):
                _check_references(rows, model, "phones-test")
