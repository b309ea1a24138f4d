"""What models of text alone read of rows, and tokens of real vocabularies at the borders of answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from triptych.shards.budgets.text import TEMPLATES
from triptych.trainers.data.encoder import BadRow
from triptych.trainers.data.turns import Clip
from triptych.trainers.sft.conversation_encoder import EncoderSettings
from triptych.trainers.sft.conversation_text import ChatForm, text_of
from triptych.trainers.sft.encoders import encoder_of
from triptych.trainers.sft.labels import tokens_of

TEXTS = [
    "plain", "two\nlines", "  indented", "trailing  ", "你好，世界", "😀👩\u200d👩\u200d👧 joined", "e\u0301 combining",
    "a\tb", "1234567", "don't", "<b>&amp;</b>", "\u200bzero", "кириллица", "#!/bin/sh\n\n\nexit", "،عربى", "'s",
    "\u0301 begins with an accent",
]  # fmt: skip


@pytest.fixture(scope="module")
def text_model(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    from support import tiny_models

    return tiny_models.text_model(tmp_path_factory.mktemp("models") / "text")


def test_rows_of_text_read_the_same_alone_and_together(
    text_model: Path, row_of: Callable[..., Any], losses: Callable[..., Any]
) -> None:
    from transformers import AutoModelForCausalLM

    encoder = encoder_of("text", text_model)
    model = AutoModelForCausalLM.from_pretrained(text_model).eval()
    encoded = [encoder.encode(row_of((text,), (f"{text}!",), ("and?",), ("x",))) for text in TEXTS[:5]]
    together = losses(model, encoder.join(encoded))
    np.testing.assert_allclose(together, [losses(model, encoder.join([each]))[0] for each in encoded], rtol=1e-5)
    said = [encoder.tokenizer.decode(each.labels[each.labels != -100]) for each in encoded]
    assert said == [f"{text}!<|im_end|>x<|im_end|>" for text in TEXTS[:5]]
    assert encoder.length(row_of(("a",), ("b",))).tokens == len(encoder.encode(row_of(("a",), ("b",))))


def test_a_text_model_takes_no_media_and_raw_rows_end_with_the_end_of_a_text(
    text_model: Path, row_of: Callable[..., Any]
) -> None:
    with pytest.raises(BadRow) as caught:
        encoder_of("text", text_model).length(row_of((Clip("/x.wav"), "q"), ("x",)))
    assert caught.value.reason == "media_unsupported"
    raw = encoder_of("text", text_model, EncoderSettings(template="raw"))
    encoded = raw.encode(row_of(("q: ",), ("x",)))
    assert [(each.text, each.is_trained) for each in raw.marked_text(encoded)] == [
        ("q: ", False),
        ("x<|im_end|>", True),
    ]


def _prompt_and_answers(tokenizer: Any, form: Any, turns: Any) -> Iterator[tuple[list[int], list[int]]]:
    """The tokens of a row, and those of its text as a whole."""
    pieces = form.pieces(turns)
    yield tokens_of(pieces, tokenizer, {}).ids, tokenizer(text_of(pieces), add_special_tokens=False)["input_ids"]


@pytest.mark.thorough
@pytest.mark.parametrize("family", ["qwen2-audio", "qwen3-omni"])
def test_pieces_have_the_tokens_of_the_whole_text_with_the_vocabulary_of_qwen(
    family: str, row_of: Callable[..., Any], one_thread: None
) -> None:
    tokenizer = _qwen_tokenizer()
    form = ChatForm(TEMPLATES[family])
    for asked in TEXTS:
        for said in TEXTS:
            row = row_of((asked,), (said,), (said,), (asked,))
            for pieces, whole in _prompt_and_answers(tokenizer, form, row.turns):
                if said[0].isspace() or asked[0].isspace():
                    continue  # the line break before it and its spaces are one token of the whole text
                assert pieces == whole, (asked, said)


def _qwen_tokenizer() -> Any:
    pytest.importorskip("tiktoken")
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import TikTokenConverter
    from triptych.shards.budgets import text

    converter = TikTokenConverter(
        vocab_file=str(text._vocabulary()), pattern=text._WORDS, extra_special_tokens=["<|endoftext|>", "<|im_start|>"]
    )
    from tokenizers import AddedToken, normalizers

    made = converter.converted()
    made.normalizer = normalizers.NFC()
    made.add_special_tokens([AddedToken("<|im_end|>", special=True)])
    return PreTrainedTokenizerFast(tokenizer_object=made)


def test_pieces_have_the_tokens_of_the_whole_text_with_a_real_vocabulary(
    row_of: Callable[..., Any], one_thread: None
) -> None:
    from support.models import SMOLLM, require

    encoder = encoder_of("text", require(SMOLLM))
    for asked, said in zip(TEXTS, reversed(TEXTS), strict=True):
        row = row_of((asked,), (said.strip(),), ("and?",), (asked.strip(),))
        for pieces, whole in _prompt_and_answers(encoder.tokenizer, encoder.form, row.turns):
            assert pieces == whole
