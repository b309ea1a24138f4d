"""Why a sample has no row in a view: what the reason codes of views mean, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

WHY_NO_ROW: Mapping[str, str] = {
    "no_answer": "no answer: no text, answer, labels, translation or solution, whichever the task needs",
    "no_prompt": "no prompt: the task has none for this modality, or the question is blank",
    "no_media": "no audio, video or image",
    "no_text": "no text that the row needs: a transcript, or the text of a text row; --task pretrain takes text, "
    "captions, labels or a translation, and no answer to a question",
    "no_transcript": "what it says is no transcript of its sound: its task is another one",
    "no_content": "neither media nor a text",
    "tag_mismatch": "the tags of the conversation do not match its media, or an answer contains a tag",
    "model_token": "a token such as <|audio_pad|> or <|im_end|> in its text, which a tokenizer takes for what it marks",
    "no_rejected": "no rejected answer",
    "same_answers": "the chosen and the rejected answer are the same but for white space",
    "tools_before_answer": "the conversation calls tools after its last user turn; both sides of a pair need the calls",
    "tools_unsupported": "the conversation has tools, for which a row of this view has no place",
    "bad_tools": "its tools are no JSON list of functions",
    "bad_tool_call": "a call of a tool that is no JSON object of `name` and `arguments`",
    "calls_without_answers": "calls of tools and their answers do not fit together",
    "media_of_tools": "media in the call of a tool or in its answer",
    "system_unsupported": "a system turn, for which a row of this view has no place",
    "no_alternation": "user and assistant do not take turns",
    "no_dimension": "no dimension, or one that is not known: factuality, instruction, safety, helpfulness",
    "no_label": "no label true or false",
    "more_than_one_medium": "a row of this view has at most one audio, and one video if any",
    "image_unsupported": "a row of this view has no image",
    "video_unsupported": "a row of this view has no video",
    "no_audio": "no sound, which a row of this view needs",
    "no_video": "no video, which the row needs",
    "no_sound_or_video": "neither sound nor video: a row of this view has one of them",
    "sound_apart": "the sound of the video is a file of its own; --av in-video uses what is in the video",
    "sound_in_video": "this trainer hears no sound in videos; --av separate takes it out",
    "sound_not_first": "its sound stands more than once, or not in the first turn",
    "silent_video": "a video without sound; --av in-video needs one in every video",
    "no_sound": "a video without sound, which the row needs",
    "unknown_length": "media of unknown length",
    "path_unsupported": "the path of its sound has <, > or white space that the prompt cannot hold",
    "space_in_path": "the path of its sound has white space, at which Kaldi cuts it",
    "id_is_no_path": "its id is no path in a shard: an empty part, `.` or `..`",
    "no_reasoning": "no reasoning, neither as a field nor in <think>: import chains as the field `reasoning`, or give "
    "samples some (triptych annotate --from FILE: id,key,value)",
    "no_sections": "its reasoning has no sections, which --structure asks for",
    "broken_chain": "the tags of its reasoning do not fit together: four sections in order, or none",
    "broken_response": "the tags of its response do not fit together, or nothing is in them",
    "no_language": "its prompt names a language, and it has none",
    "no_target_language": "a translation whose language is not known (target_language)",
    "several_exchanges": "a conversation of more than one exchange",
    "not_voice_chat": "not asked by sound alone: a text stands beside it, or the answer is no reply to what is said",
    "not_analysis": "a turn with sound and no text beside it",
    "no_phones": "no phones: `triptych align` or an import gives samples some",
    "no_words": "no words with times: `triptych align` gives samples some",
    "untimed_word": "a word of its alignment has no times: nobody knows what its parts say; `triptych align` may",
    "unknown_word": "a word of its alignment is <unk>: nobody knows what its parts say; `triptych align` may tell it",
    "unknown_phone": "a phone that the chosen set does not have; --phones own takes labels as they are",
    "phones_out_of_order": "phones that do not stand in the order of their times",
    "words_out_of_order": "words that do not stand in the order of their times",
    "untimed_phone": "phones without times, of a recording of which the sample is a part",
    "phones_after_end": "phones that end after its sound: they are of another one",
    "export_only": "its chunks are made by an export alone",
    "no_term": "none of its words is a term of the glossary",
}

WHY_NOT_TAKEN: Mapping[str, str] = {
    "filtered": "not among the samples that --dataset, --split and --where select",
    "rejected": "rejected by the rules (triptych explain ID says by which); --include-rejected takes them too",
    "missing_media": "a file of its media is missing, or is another one by now",
    "undecodable": "its media cannot be decoded",
    "span_unsupported": "a span of a sample with several media: it does not say of which",
    "channel_unsupported": "a channel of a sample that is more than one sound",
    "sound_unsupported": "its sound cannot be changed as asked, all of it",
    "model_takes_no_pictures": "images or video, which --model does not take",
    "over_max_tokens": "more tokens than --max-tokens",
    "over_max_seconds": "longer than --max-seconds",
    "unknown_tokens": "its tokens in the model are not known: a conversation with tools, or media of unknown length",
    "longer_than_30_s": "longer than 30 s, of which a model hears no more",
    "longer_than_300_s": "longer than 300 s, of which a model hears no more",
    "no_word_times": "longer than the model hears, and no words with times to divide it by: `triptych align`",
    "not_divisible": "longer than the model hears, and no transcript alone: nothing else can be divided",
    "audio_in_test": "sound that a validation or test utterance has",
    "group_in_two_splits": "its group is in two splits by now: `triptych split --check`",
}
"""What leaves samples out whatever the view is; told where nothing is left."""


def explained(counts: Mapping[str, int]) -> Iterator[str]:
    """A line for each reason that a view may have."""
    yield from _lines(counts, WHY_NO_ROW)


def explained_all(counts: Mapping[str, int]) -> Iterator[str]:
    """A line for each reason that is known, of an export without rows."""
    yield from _lines(counts, {**WHY_NO_ROW, **WHY_NOT_TAKEN})


def _lines(counts: Mapping[str, int], known: Mapping[str, str]) -> Iterator[str]:
    for reason, count in counts.items():
        if why := known.get(reason):
            yield f"  {count:,} {reason}: {why}"
