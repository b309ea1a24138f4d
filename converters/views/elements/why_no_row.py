"""Why a sample has no row in a view: what the reason codes of views mean, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

WHY_NO_ROW: Mapping[str, str] = {
    "no_answer": "no answer: no text, answer, labels, translation or solution, whichever the task needs",
    "no_prompt": "no prompt: the task has none for this modality, or the question is blank",
    "no_media": "no audio, video or image",
    "no_text": "a text row without text",
    "tag_mismatch": "the tags of the conversation do not match its media, or an answer contains a tag",
    "model_token": "a token such as <|audio_pad|> or <|im_end|> in its text, which a tokenizer takes for what it marks",
    "no_rejected": "no rejected answer",
    "same_answers": "the chosen and the rejected answer are the same but for white space",
    "tools_before_answer": "the conversation calls tools after its last user turn; both sides of a pair need the calls",
    "no_dimension": "no dimension, or one that is not known: factuality, instruction, safety, helpfulness",
    "no_label": "no label true or false",
    "more_than_one_medium": "a row of this view has at most one audio, and one video if any",
    "image_unsupported": "a row of this view has no image",
    "sound_apart": "the sound of the video is a file of its own; --av in-video uses what is in the video",
    "silent_video": "a video without sound; --av in-video needs one in every video",
    "no_sound": "a video without sound to use alone",
    "no_reasoning": "no reasoning, neither as a field nor in <think>: import chains as the field `reasoning`, or give "
    "samples some (triptych annotate --from FILE: id,key,value)",
    "no_sections": "its reasoning has no sections, which --structure asks for",
    "broken_chain": "the tags of its reasoning do not fit together: four sections in order, or none",
    "broken_response": "the tags of its response do not fit together, or nothing is in them",
    "no_language": "its prompt names a language, and it has none",
    "several_exchanges": "a conversation of more than one exchange",
    "video_unsupported": "a row of this view has no video",
}
