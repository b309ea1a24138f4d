"""What a model reads of a conversation: its own template's text, and answers with the tokens that end them trained."""

from __future__ import annotations

from typing import Any

import pytest
from triptych.shards.budgets.text import TEMPLATES
from triptych.trainers.data.encoder import BadRow
from triptych.trainers.data.turns import ASSISTANT, SYSTEM, USER, Clip, Part, Picture, Turn, Video
from triptych.trainers.sft.conversation_text import ChatForm, Piece, RawForm, TemplateForm, opening_of, text_of

QWEN2 = ChatForm(TEMPLATES["qwen2-audio"])
OMNI = ChatForm(TEMPLATES["qwen3-omni"], forgets_chains=True)
RAW = RawForm("<|endoftext|>", "<|audio_bos|><|AUDIO|><|audio_eos|>", "<|AUDIO|>")

CHAIN = "<think>\nhm\n</think>\n\n"


def user(*parts: Part) -> Turn:
    return Turn(USER, parts)


def says(text: str, *, is_learned: bool = True) -> Turn:
    return Turn(ASSISTANT, (text,), is_learned=is_learned)


A, B = Clip("/a.wav"), Clip("/b.wav")

CONVERSATIONS = [
    [user(A, "What's that sound?"), says("A dog.")],
    [user("Hi"), says("Hello"), user(A, B, "Which?"), says("the second")],
    [Turn(SYSTEM, ("Be brief.",)), user("first ", A, " then ", B, ""), says("你好 😀\n\nzweite Zeile ")],
    [user(A), says("x"), user(B), says("y"), user("And\nnow?"), says("z")],
    [user("<b>text</b> alone"), says("fine")],
]


def typed(turns: list[Turn]) -> list[dict[str, Any]]:
    """As a template is given them: text where a turn is text, else parts."""
    found = []
    for turn in turns:
        parts = [
            {"type": "text", "text": part} if isinstance(part, str) else {"type": _kind(part), _kind(part): part.path}
            for part in turn.parts
        ]
        is_text = all(isinstance(part, str) for part in turn.parts)
        found.append({"role": turn.role, "content": turn.text if is_text else parts})
    return found


def _kind(part: Clip | Picture | Video) -> str:
    return "audio" if isinstance(part, Clip) else "image" if isinstance(part, Picture) else "video"


def trained(pieces: list[Piece]) -> list[str]:
    return [piece.text for piece in pieces if piece.is_trained]


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    """`apply_chat_template` of real processors: Qwen2-Audio's own template, and one with the rules of Qwen3-Omni's."""
    pytest.importorskip("transformers")
    from support import tiny_models
    from transformers import Qwen2AudioProcessor, Qwen3OmniMoeProcessor, WhisperFeatureExtractor

    class Hearing(Qwen3OmniMoeProcessor):  # type: ignore[misc]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return None if argument is None else super().check_argument_for_proper_class(argument_name, argument)

    extractor = WhisperFeatureExtractor(feature_size=128)
    names = tiny_models.OMNI_SOUND
    return {
        "qwen2": Qwen2AudioProcessor(extractor, tiny_models.byte_tokenizer(tiny_models.QWEN2_AUDIO_SOUND)),
        "omni": Hearing(
            None, None, extractor, tiny_models.byte_tokenizer(list(names.values()), extra_special_tokens=names),
            chat_template=OMNI_RULES,
        ),
    }  # fmt: skip


OMNI_RULES = """
{%- set last = namespace(query=messages | length - 1, found=false) -%}
{%- for message in messages | reverse -%}
{%- if not last.found and message.role == 'user' and message.content is string -%}
{%- set last.query = messages | length - 1 - loop.index0 -%}{%- set last.found = true -%}
{%- endif -%}{%- endfor -%}
{%- for message in messages -%}
{%- set told = namespace(text='') -%}
{%- if message.content is string -%}{%- set told.text = message.content -%}
{%- else -%}{%- for part in message.content -%}
{%- if part.type == 'audio' -%}{%- set told.text = told.text ~ '<|audio_start|><|audio_pad|><|audio_end|>' -%}
{%- elif part.type == 'image' -%}{%- set told.text = told.text ~ '<|vision_start|><|image_pad|><|vision_end|>' -%}
{%- elif part.type == 'video' -%}{%- set told.text = told.text ~ '<|vision_start|><|video_pad|><|vision_end|>' -%}
{%- else -%}{%- set told.text = told.text ~ part.text -%}{%- endif -%}
{%- endfor -%}{%- endif -%}
{{- '<|im_start|>' ~ message.role ~ '\\n' -}}
{%- if message.role == 'assistant' -%}
{%- set chain = namespace(text='') -%}
{%- if '</think>' in told.text -%}
{%- set chain.text = told.text.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') -%}
{%- set told.text = told.text.split('</think>')[-1].lstrip('\\n') -%}
{%- endif -%}
{%- if loop.index0 > last.query and (loop.last or chain.text) -%}
{{- '<think>\\n' ~ chain.text ~ '\\n</think>\\n\\n' -}}
{%- endif -%}
{%- endif -%}
{{- told.text ~ '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
"""
"""Where Qwen3-Omni's own template keeps a chain of thought, loses it, and adds an empty one."""


def prompt(processor: Any, turns: list[Turn]) -> str:
    return str(processor.apply_chat_template(typed(turns), tokenize=False, add_generation_prompt=True))


@pytest.mark.parametrize("turns", CONVERSATIONS)
def test_prompts_and_answers_are_what_the_template_of_qwen2_audio_writes(
    written: dict[str, Any], turns: list[Turn]
) -> None:
    pieces = QWEN2.pieces(turns)
    whole = str(written["qwen2"].apply_chat_template(typed(turns), tokenize=False))
    assert text_of(pieces) == whole == prompt(written["qwen2"], turns[:-1]) + f"{turns[-1].text}<|im_end|>\n"
    assert trained(pieces) == [f"{turn.text}<|im_end|>" for turn in turns if turn.role == ASSISTANT]


@pytest.mark.parametrize(
    "turns",
    [
        *CONVERSATIONS,
        [user(Picture("/a.png"), Video("/a.mp4"), A, "?"), says(f"{CHAIN}yes")],
        [user(A), says(f"{CHAIN}x"), user(B), says(f"{CHAIN}y")],
        [user("a"), says(f"{CHAIN}x"), user("b"), says(f"{CHAIN}y")],
        [user("a"), says(f"{CHAIN}x"), user(A), says(f"{CHAIN}y"), user(B), says("z")],
        [user(A), says(f"{CHAIN}x"), user("b"), says("y"), user(A), says(f"{CHAIN}z")],
    ],
)
def test_prompts_are_what_the_template_of_qwen3_omni_writes_and_answers_what_rows_hold(
    written: dict[str, Any], turns: list[Turn]
) -> None:
    asked = prompt(written["omni"], turns[:-1])
    pieces = OMNI.pieces(turns)
    assert text_of(pieces) == f"{asked}{turns[-1].text}<|im_end|>\n"
    kept = [turn for turn in turns[:-1] if turn.role == ASSISTANT and turn.text in asked]
    assert trained(pieces) == [f"{turn.text}<|im_end|>" for turn in (*kept, turns[-1])]


def test_the_template_of_qwen3_omni_would_lose_a_chain_and_add_an_empty_one(written: dict[str, Any]) -> None:
    def told(*turns: Turn) -> str:
        return str(written["omni"].apply_chat_template(typed(list(turns)), tokenize=False)).split("assistant\n")[-1]

    assert told(user(A), says(f"{CHAIN}ans")) == "ans<|im_end|>\n"
    assert told(user("q"), says("ans")) == "<think>\n\n</think>\n\nans<|im_end|>\n"
    assert trained(OMNI.pieces([user(A), says(f"{CHAIN}ans")])) == [f"{CHAIN}ans<|im_end|>"]
    assert trained(OMNI.pieces([user("q"), says("ans")])) == ["ans<|im_end|>"]


def test_an_answer_that_is_not_learned_is_read_only() -> None:
    turns = [user("a"), says("x", is_learned=False), user("b"), says("y")]
    for form in (QWEN2, OMNI):
        assert trained(form.pieces(turns)) == ["y<|im_end|>"]
        assert "x<|im_end|>" in text_of(form.pieces(turns))


def test_base_models_read_the_sound_and_the_prompt_and_learn_the_last_answer(written: dict[str, Any]) -> None:
    pieces = RAW.pieces([user(A, "Transcribe: <|en|>"), says("hello")])
    assert text_of(pieces) == "<|audio_bos|><|AUDIO|><|audio_eos|>Transcribe: <|en|>hello<|endoftext|>"
    assert trained(pieces) == ["hello<|endoftext|>"]
    assert trained(RAW.pieces([user(A, "q"), says("x"), user(B, "r"), says("y")])) == ["y<|endoftext|>"]


@pytest.mark.parametrize("turns", CONVERSATIONS)
def test_raw_prompts_are_those_of_inference(written: dict[str, Any], turns: list[Turn]) -> None:
    from triptych.trainers.inference.backends.model_inputs import render
    from triptych.trainers.inference.questions import Question
    from triptych.trainers.models.model_loading import CONVERSATION, LoadedModel

    processor = written["qwen2"]
    for template, form in (("raw", RAW), ("chat", QWEN2)):
        loaded = LoadedModel(None, processor, processor.tokenizer, CONVERSATION, 16_000, 30.0, template)
        asked = render(loaded, Question(id="1", turns=tuple(turns[:-1])))
        end = "<|endoftext|>" if template == "raw" else "<|im_end|>\n"
        assert text_of(form.pieces(turns)) == f"{asked}{turns[-1].text}{end}"


def test_a_text_without_a_question_is_learned_as_it_is() -> None:
    turns = [Turn(ASSISTANT, ("before ", A, "after"))]
    bare = "before <|audio_bos|><|AUDIO|><|audio_eos|>after<|endoftext|>"
    for form in (QWEN2, RAW):
        assert text_of(form.pieces(turns)) == bare
        assert trained(form.pieces(turns)) == ["before ", "after<|endoftext|>"]
    assert text_of(OMNI.pieces(turns)) == "before <|audio_start|><|audio_pad|><|audio_end|>after<|endoftext|>"


@pytest.mark.parametrize(
    ("form", "turns", "reason"),
    [
        (QWEN2, [user("q")], "no_answer"),
        (QWEN2, [user("q"), says("  ")], "no_answer"),
        (QWEN2, [user("say <|AUDIO|>"), says("x")], "model_token"),
        (OMNI, [user("q"), says("x<|im_end|>")], "model_token"),
        (OMNI, [user("q <|video_pad|>"), says("x")], "model_token"),
        (QWEN2, [user(Picture("/a.png")), says("x")], "image_unsupported"),
        (QWEN2, [user(Video("/a.mp4", with_sound=True)), says("x")], "video_unsupported"),
        (QWEN2, [user("q"), Turn(ASSISTANT, ("x", A)), user("r"), says("y")], "media_place"),
        (RAW, [user(Picture("/a.png")), says("x")], "media_unsupported"),
        (ChatForm(TEMPLATES["qwen3-omni"], opening="<think>\n"), [user("q"), says("x")], "no_chain"),
    ],
)
def test_what_would_be_read_otherwise_is_refused(form: Any, turns: list[Turn], reason: str) -> None:
    with pytest.raises(BadRow) as caught:
        form.pieces(turns)
    assert caught.value.reason == reason


def test_what_the_template_writes_for_the_model_is_no_part_of_the_answer() -> None:
    form = ChatForm(TEMPLATES["qwen3-omni"], opening="<think>\n", forgets_chains=True)
    assert trained(form.pieces([user(A), says(f"{CHAIN}ans")])) == ["hm\n</think>\n\nans<|im_end|>"]


def test_a_template_of_another_text_is_refused_before_any_row(written: dict[str, Any]) -> None:
    from triptych.errors import UsageError

    assert opening_of(QWEN2, written["qwen2"].apply_chat_template) == ""
    assert opening_of(OMNI, written["omni"].apply_chat_template) == ""
    opened = OMNI_RULES.replace("assistant\\n' -}}{%- endif -%}\n", "assistant\\n<think>\\n' -}}{%- endif -%}\n")

    def thinking(messages: Any, **options: Any) -> Any:
        return written["omni"].apply_chat_template(messages, chat_template=opened, **options)

    assert opening_of(OMNI, thinking) == "<think>\n"
    with pytest.raises(UsageError, match="writes another text"):
        opening_of(QWEN2, written["omni"].apply_chat_template)


@pytest.fixture(scope="module")
def text_tokenizer() -> Any:
    pytest.importorskip("transformers")
    from support import tiny_models

    tokenizer = tiny_models.byte_tokenizer([])
    tokenizer.chat_template = OMNI_RULES
    return tokenizer


def test_a_template_of_a_text_model_says_what_is_trained(text_tokenizer: Any) -> None:
    form = TemplateForm(text_tokenizer)
    turns = [user("a"), says(f"{CHAIN}x"), user("b"), says(f"{CHAIN}y")]
    pieces = form.pieces(turns)
    assert text_of(pieces) == str(text_tokenizer.apply_chat_template(typed(turns), tokenize=False))
    assert trained(pieces) == [f"{CHAIN}y<|im_end|>"], "an answer without its chain teaches to answer at once"
    text_tokenizer_of_all = TemplateForm(_keeps_all(text_tokenizer))
    assert trained(text_tokenizer_of_all.pieces(turns)) == [f"{CHAIN}x<|im_end|>", f"{CHAIN}y<|im_end|>"]
    with pytest.raises(BadRow) as caught:
        form.pieces([user("a", A), says("x")])
    assert caught.value.reason == "media_unsupported"


def _keeps_all(tokenizer: Any) -> Any:
    import copy

    from support import tiny_models

    found = copy.deepcopy(tokenizer)
    found.chat_template = tiny_models.OMNI_TEMPLATE
    return found
