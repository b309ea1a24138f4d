"""Prompts that training and inference write alike."""

from __future__ import annotations

from typing import Any

import pytest


def test_a_token_that_the_template_writes_is_not_put_before_a_text_again(one_thread: None) -> None:
    from support import tiny_models
    from tokenizers.processors import TemplateProcessing
    from triptych.trainers.data.turns import USER, Turn
    from triptych.trainers.inference.backends.model_inputs import encode
    from triptych.trainers.inference.questions import Question
    from triptych.trainers.models.model_loading import TEXT, LoadedModel

    tokenizer: Any = tiny_models.byte_tokenizer(["<s>"], bos_token="<s>")
    number = tokenizer.bos_token_id
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", number)])
    for template, text in (("<s>{{ messages[0].content }}", "<s>hi"), ("{{ messages[0].content }}", "hi")):
        tokenizer.chat_template = template
        loaded = LoadedModel(None, tokenizer, tokenizer, TEXT, 16_000, None, "chat")
        made = encode(loaded, Question(id="1", turns=(Turn(USER, ("hi",)),)), [])
        assert tokenizer.decode(made["input_ids"][0]).replace(" ", "") == "<s>hi", text


@pytest.mark.parametrize("text", ["hi", "<s>hi"])
def test_a_tokenizer_without_a_first_token_decides_itself(text: str) -> None:
    from types import SimpleNamespace

    from triptych.trainers.models.prompt_forms import takes_special_tokens

    assert takes_special_tokens(SimpleNamespace(bos_token=None), text)
    assert takes_special_tokens(SimpleNamespace(bos_token="<s>"), text) is (text == "hi")
