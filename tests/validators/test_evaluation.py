"""Evaluation files: what the scripts that read them cannot take, or score otherwise than meant."""

from __future__ import annotations

from typing import Any

from triptych.validators.formats import FORMATS

ROW = {"audio": "/a.wav", "prompt": "Say:", "gt": "x", "source": "librispeech_test_clean"}
ITEM = {"id": "1", "audio_path": "/a.wav", "question": "Which?", "choices": ["A dog", "A cat"], "answer": "a cat"}


def codes(format: str, row: dict[str, Any], task: str | None = None, *, files: bool = False) -> set[str]:
    return {found.code for found in FORMATS[format].Rows(task=task, files=files).check(1, row)}


def test_rows_of_qwen2_audios_scripts() -> None:
    assert codes("evaluation-list", ROW) == set()
    assert codes("evaluation-list", ROW, files=True) == {"missing_file"}
    assert codes("evaluation-list", ROW | {"audio": "https://host/a.wav"}, files=True) == set()
    assert codes("evaluation-list", ROW | {"audio": "a.wav"}) == {"relative_path"}
    assert codes("evaluation-list", {"audio": "/a.wav", "prompt": "x", "gt": "y"}) == {"missing_key"}
    assert codes("evaluation-list", ROW | {"gt": 3}) == {"wrong_type"}
    assert codes("evaluation-list", ROW | {"gt": " "}) == {"blank_reference"}
    assert codes("evaluation-list", ROW | {"prompt": "<|audio_bos|><|AUDIO|><|audio_eos|>Say:"}) == {"audio_token"}
    assert codes("evaluation-list", ROW | {"prompt": "<audio>Say:"}) == {"tag_in_prompt"}
    assert codes("evaluation-list", ROW | {"prompt": ""}) == {"blank_prompt"}
    assert codes("evaluation-list", ROW | {"source": ""}) == {"blank_source"}


def test_a_source_of_translations_names_the_target_language_last_but_one() -> None:
    asked = ROW | {"prompt": "Detect the language and translate the speech into Mandarin: <|en|>"}
    assert codes("evaluation-list", asked | {"source": "covost2_en_zh_test"}) == set()
    for source in ("covost2_en_zh", "covost2_en_zh_dev_clean", "covost2"):
        assert codes("evaluation-list", asked | {"source": source}) == {"source_language"}, source
    german = ROW | {"prompt": asked["prompt"].replace("Mandarin", "German")}
    assert codes("evaluation-list", german | {"source": "covost2_en_de_test"}) == set()
    assert codes("evaluation-list", german | {"source": "covost2_zh_de"}) == {"source_language"}
    assert codes("evaluation-list", ROW | {"source": "x"}, "s2tt") == {"source_language"}


def test_items_of_benchmarks() -> None:
    assert codes("evaluation-items", ITEM) == set()
    assert codes("evaluation-items", ITEM | {"choices": []}) == {"no_choices"}
    assert codes("evaluation-items", ITEM | {"choices": "A dog"}) == {"choices_type"}
    assert codes("evaluation-items", ITEM | {"choices": ["A cat"]}) == {"one_choice"}
    assert codes("evaluation-items", ITEM | {"answer": "cat"}) == {"answer_not_a_choice"}
    assert codes("evaluation-items", ITEM | {"choices": ["A cat", "cat, a", "dog"]}) == {"equal_choices"}
    assert codes("evaluation-items", ITEM | {"choices": ["?", "!"], "answer": "?"}) == {"equal_choices", "no_words"}
    assert codes("evaluation-items", ITEM | {"question": " ", "answer": None}) == {"blank_question", "missing_key"}
    known = ITEM | {"modality": "sound", "category": "Signal Layer"}
    assert codes("evaluation-items", known, "mmar") == set()
    assert codes("evaluation-items", ITEM, "mmar") == {"unknown_modality", "unknown_category"}
    assert FORMATS["evaluation-items"].detect_task([known, known, ITEM]) == "mmar"


def test_rows_of_the_chat_evaluation() -> None:
    row = {"id": "1", "audio": "/a.wav", "query": "<|audio_bos|><|AUDIO|><|audio_eos|>Who?"}
    assert codes("evaluation-chat", row) == set()
    assert codes("evaluation-chat", row | {"query": "Who?"}) == {"sound_tokens"}
    assert codes("evaluation-chat", row | {"query": row["query"] * 2}) == {"sound_tokens"}
    assert codes("evaluation-chat", row | {"query": f"{row['query']}<|im_end|>"}) == {"turn_token"}
    assert codes("evaluation-chat", row | {"id": None}) == {"missing_key"}


def test_submissions_to_the_challenge() -> None:
    row = {"id": "x_00-01", "thinking_prediction": "It is loud.", "answer_prediction": "A dog"}
    assert codes("challenge", row) == set()
    assert codes("challenge", row | {"answer_prediction": " "}) == {"blank_answer"}
    assert codes("challenge", row | {"thinking_prediction": ""}) == {"blank_chain"}
    assert codes("challenge", row | {"thinking_prediction": "x" * 10_000}) == {"too_long"}
    assert codes("challenge", row | {"answer_prediction": "<think>no cat</think>A dog"}) == {"chain_in_answer"}
    assert codes("challenge", {"id": "", "answer_prediction": 3}) == {"missing_key", "wrong_type", "blank_id"}
