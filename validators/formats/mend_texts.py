"""What to do about the problems of each format: one text for each code.

`with_mends` gives every problem of a format its text. A code that means the same everywhere has one text in `SHARED`;
`OF` has those of single formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .findings import Problem

_ONE_ID = "give every row an id of its own"
_ABSOLUTE = "write absolute paths"
_WAV = "convert it: ffmpeg -i IN -ar 16000 -ac 1 OUT.wav"
_SECTIONS = "write PLANNING, CAPTION, REASONING, SUMMARY once each, in this order, one after the other"

SHARED = {
    "missing_id": _ONE_ID,
    "duplicate_id": _ONE_ID,
    "missing_file": "correct the path, or remove the row",
    "relative_path": _ABSOLUTE,
    "wrong_type": "write a text",
    "media_type": "write a list of paths",
    "missing_key": "write the key with a value",
    "missing_text": "write the text, or remove the row",
    "empty_text": "write the text, or remove the row",
    "no_content": "name a medium or write a text, or remove the row",
    "unknown_modality": "write audio, video, mixed or text",
    "model_token": "remove the token from the text",
    "tag_mismatch": "write one tag for each medium, in their order",
    "no_messages": "write a list of messages with role and content",
    "not_messages": "write a list of messages with role and content",
    "unknown_role": "write system, user, assistant or tool",
    "bad_duration": "write the length in seconds, as a positive number",
    # chains of thought
    "last_not_assistant": "end with the answer",
    "no_think": "put the chain into <think>...</think>",
    "several_think": "put all of the chain into one <think>...</think>",
    "broken_think": "open <think> and close it once",
    "empty_chain": "write the chain, or remove the row",
    "think_case": "write <think> in lower case",
    "outer_tag": "write the field without <think> and <RESPONSE>",
    "missing_section": _SECTIONS,
    "repeated_section": _SECTIONS,
    "broken_section": "open each section and close it once",
    "section_order": _SECTIONS,
    "section_overlap": _SECTIONS,
    "empty_section": "write the section, or remove the row",
    "text_between": "move the text into a section or the response",
    "no_sections": _SECTIONS,
    "plain_chain": "write the four sections, if all chains are to have them",
    "no_response": "put the answer into <RESPONSE>...</RESPONSE>",
    "several_response": "put the answer into one <RESPONSE>...</RESPONSE>",
    "broken_response": "open <RESPONSE> and close it once",
    "response_in_think": "close </think> before <RESPONSE>",
    "response_not_last": "end with </RESPONSE>",
    "empty_response": "write the answer, or remove the row",
    "key_not_a_choice": "write the answer as one of the choices",
    "unclear_choice": "name one choice, by its letter or its words",
    "wrong_choice": "correct the response or the answer",
    "list_content": "write the user turn as a text with tags",
    "chain_lost": "write the row as the view does: triptych export cot",
    "earlier_chain": "leave chains out of earlier answers, or make a row of each",
    "further_key": "remove the key",
    # pairs
    "prompt_end": "end the prompt with the user's turn",
    "not_one_answer": "write one assistant message",
    "empty_answer": "write the answer, or remove the row",
    "same_answers": "write another answer, or remove the row",
    "unknown_dimension": "write factuality, instruction, safety or helpfulness",
    "tag_in_answer": "move the tag into the prompt",
    # evaluation
    "audio_token": "remove the tokens: the script writes them",
    "tag_in_prompt": "remove the tag: the script writes the tokens of the sound",
    "blank_prompt": "write what to do",
    "blank_reference": "write the reference, or remove the row",
    "blank_source": "name the test set",
    "source_language": "name the source CORPUS_SOURCE_TARGET_SPLIT",
    "choices_type": "write a list of texts",
    "unknown_category": "write one of MMAR's categories",
    "blank_question": "write the question",
    "no_choices": "write the choices",
    "one_choice": "write at least two choices",
    "equal_choices": "write choices that differ",
    "answer_not_a_choice": "write the answer as one of the choices",
    "no_words": "write the answer in words",
    "sound_tokens": "write <|audio_bos|><|AUDIO|><|audio_eos|> once",
    "turn_token": "remove the token from the query",
    # terms and phones
    "no_audio": "name the sound, or remove the row",
    "no_term": "name the term, or write none of its fields",
    "weak_term": "take the term out of the glossary",
    "term_in_no_term_chunk": "remove the term, or the row",
    "bad_times": "make the chunk again: triptych export term-chunks",
    "too_short": "cut with more context",
    "too_long": "cut with less context",
    "silent": "remove the row",
    "low_dynamic_range": "remove the row",
    "not_finite": "write the sound again as 16-bit samples",
    "unreadable": "write the sound again as FLAC or WAV",
    "shared_sound": "keep the sound in one of the two: triptych split",
    "unseen_in_training": "remove the training chunks that name the term",
    "bad_turns": "write a question and an answer, with `from` and `value`",
    "no_sound": "name the sound in `audio` and write <audio> once",
    "no_prompt": "write what to do beside the sound",
    "no_phones": "write the phones, or remove the row",
    "unknown_phone": "write a phone of the set, or choose another set",
    "misplaced_boundary": "write | between the phones of two words",
    "too_many_phones": "look whether the phones are of this sound",
    "few_phones": "look whether the phones are of this sound",
    "unknown_set": "write 39, 48, 61 or own",
    # manifests
    "missing_audio": "name the sound, or remove the row",
    "missing_duration": "write the length in seconds",
    "long_clip": "cut it, or raise max_duration",
    "unknown_taskname": "write asr, s2t_translation or ast",
    "missing_language": "write source_lang and target_lang",
    "bad_pnc": "write yes or no",
    "space_in_id": "write the id without white space",
    "speaker_prefix": "begin the id with the speaker and a hyphen",
    "space_in_path": "move the file to a path without white space",
    "line_in_text": "write the text on one line",
    "not_wav": _WAV,
    "bad_length": "write the samples and the rate that the file has",
    "word_outside": "correct the times, or leave the alignment out",
    "modality_mismatch": "write the modality of the media that the row names",
}

OF: Mapping[str, Mapping[str, str]] = {
    "challenge": {
        "duplicate_id": "submit each item once",
        "blank_id": "write the id of the item",
        "blank_answer": "write the answer of the model",
        "blank_chain": "write the chain of the model, or accept that it counts nothing",
        "too_long": "shorten it below 10,000 characters",
        "chain_in_answer": "move the chain into thinking_prediction",
    },
    "evaluation-items": {"unknown_modality": "write one of MMAR's modalities"},
    "webdataset": {"wrong_type": "write a path"},
}


def with_mends(format: str, problems: Mapping[str, Problem]) -> dict[str, Problem]:
    """The problems of a format, each with its mend."""
    texts = {**SHARED, **OF.get(format, {})}
    return {code: replace(problem, mend=problem.mend or texts[code]) for code, problem in problems.items()}
