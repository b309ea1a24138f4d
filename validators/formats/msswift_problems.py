"""Everything that can be wrong with a row for MS-SWIFT, and what ms-swift 4.6 does about it, task by task."""

from __future__ import annotations

from dataclasses import replace

from .findings import Outcome, Problem, Severity
from .msswift_mends import MENDS

_DELETES = "ms-swift deletes the row (a traceback for the first ten)"
_REPLACES = "ms-swift deletes the row, or under lazy_tokenize trains on a random other row"
_STOPS = "GRPO encodes rows while it trains, and stops at this one"


def _deleted(what: str, consequence: str = _DELETES) -> Problem:
    return Problem("S1", "error", what, consequence, "deleted")


def _replaced(what: str, consequence: str = _REPLACES) -> Problem:
    return Problem("S2", "error", what, consequence, "replaced")


def _kept(stage: str, severity: Severity, what: str, consequence: str) -> Problem:
    return Problem(stage, severity, what, consequence, "kept")


_PROBLEMS = {
    "duplicate_id": _kept("S0", "warning", "duplicate id", "rows cannot be distinguished"),
    "key_collision": _kept("S0", "error", "two columns map to one target", "ms-swift maps neither, then drops them"),
    "empty_messages": _deleted("no messages", "the row is dropped without a log line"),
    "unparseable_messages": _deleted("messages is neither a list, JSON nor a Python literal"),
    "message_keys": _deleted("a message without role or content key"),
    "unknown_role": _deleted("a role unknown to ms-swift"),
    "null_content": _deleted("a message whose content is null"),
    "content_not_parts": _deleted("a list as content whose parts are no objects"),
    "provider_block": _deleted("a content part that its provider's format does not have"),
    "tool_call_name": _deleted("a tool call whose function has no name"),
    "bad_query": _deleted("a question that is no text"),
    "bad_response": _deleted("an empty list of answers"),
    "bad_history": _deleted("a history that is no list of pairs"),
    "extra_message_keys": _kept("S1", "warning", "extra keys in a message", "ms-swift strips them"),
    "bad_loss": _kept(
        "S2", "warning", "`loss` of a message is neither true nor false", "any text counts as true, `false` too"
    ),
    "bad_loss_scale": _replaced("`loss_scale` of a message is no number"),
    "bad_objects": _deleted("objects without boxes of two or four numbers"),
    "rejected_null": _deleted("rejected_response is null"),
    "rejected_equals_answer": _deleted("rejected_response is the answer itself"),
    "rejected_unread": _deleted("rejected_messages cannot be read"),
    "mixed_preference": _deleted(
        "a row without rejected_response in a file that has the column",
        "Arrow fills in null and ms-swift deletes every such row",
    ),
    "no_turns": _replaced("nothing but a system message"),
    "system_not_first": _replaced("a system message that is not first"),
    "alternation": _replaced("user, assistant and tool turns do not alternate"),
    "content_type": _replaced("content that is neither text nor a list of parts"),
    "content_part": _replaced("a content part without type, or without the text or path that its type asks for"),
    "content_media_ignored": _kept(
        "S2", "warning", "a content part without a value under the name of its type",
        "ms-swift writes the tag and silently drops the media",
    ),
    "content_media_conflict": _replaced("media both in content parts and in the row's list"),
    "tool_call": _replaced("a tool call that is no object with name and arguments"),
    "bad_tools": _replaced("`tools` that are no objects"),
    "bad_settings": _replaced("`chat_template_kwargs` is no object"),
    "tools_in_pretraining": _replaced("tools in pre-training", "the template has no form for them; " + _REPLACES),
    "media_type": _replaced("a media column that is neither a path nor a list of paths"),
    "null_media": _replaced(
        "a null among the media", _REPLACES + "; Qwen2-Audio skips it and has a place without its sound"
    ),
    "missing_file": _replaced("no such file"),
    "unsupported_uri": _replaced("a URI that ms-swift cannot open"),
    "relative_path": _kept("S2", "warning", "not an absolute path", "it is resolved from where training starts"),
    "media_without_tag": _kept(
        "S2", "warning", "fewer tags than media", "ms-swift puts the missing tags before the first message"
    ),
    "tag_without_media": _kept(
        "S2", "warning", "more tags than media", "the extra tags stay in the prompt as literal text"
    ),
    "tag_in_system": _kept("S2", "warning", "a media tag in the system message", "it consumes the first media"),
    "tag_in_assistant": _kept("S2", "warning", "a media tag in an answer", "it consumes media in text order"),
    "tag_case": _kept("S2", "warning", "a tag in another case", "it stays in the prompt as literal text"),
    "model_token": _kept(
        "S2", "error", "a token of the model in a text", "the tokenizer takes it for a medium or the end of a turn"
    ),
    "rejected_type": _replaced("rejected_response is neither text nor a list of messages that have role and content"),
    "rejected_user": _replaced("a user message in rejected_response"),
    "rejected_repeats_answer": _replaced("rejected_response is the answer itself, as a message"),
    "rejected_turns": _replaced("the rejected side cannot be encoded"),
    "rejected_without_text": _kept(
        "S2", "error", "the rejected side has no answer", "the prompt alone is compared with the chosen side"
    ),
    "rejected_is_chosen": _kept(
        "S2", "error", "nothing of the rejected side differs", "ms-swift takes the chosen side for the rejected one"
    ),
    "rejected_without_media": _kept(
        "S2", "warning", "rejected_messages without its own media", "the rejected side is encoded without any"
    ),
    "missing_rejected": _replaced("no rejected side"),
    "bad_margin": _replaced("`margin` is no number"),
    "missing_label": _kept("S2", "error", "no label", "ms-swift takes the answer for a bad one"),
    "bad_label": _kept("S2", "error", "`label` is neither true nor false", "any text counts as true, `false` too"),
    "last_not_assistant": _kept("S2", "warning", "the last message is not an answer", "all labels are masked"),
    "ends_in_assistant": _kept(
        "rollout", "warning", "the last message is an answer", "it is removed before rollout"
    ),
    "answer_in_prompt": _kept(
        "rollout", "error", "two answers at the end", "only the last is removed: the prompt holds the other"
    ),
    "no_user_turn": Problem("rollout", "error", "no user message", "nothing is left to answer: GRPO stops", "crashed"),
    "missing_solution": _kept("rollout", "error", "no solution", "reward functions receive None"),
}  # fmt: skip

PROBLEMS = {code: replace(problem, mend=MENDS[code]) for code, problem in _PROBLEMS.items()}

_OF_GRPO = {
    code: replace(problem, consequence=problem.consequence.replace(_REPLACES, _STOPS), outcome="crashed")
    if problem.outcome == "replaced"
    else problem
    for code, problem in PROBLEMS.items()
}


def problems_of(task: str) -> dict[str, Problem]:
    """The problems, with what ms-swift does about them in training for a task."""
    return _OF_GRPO if task == "grpo" else PROBLEMS


__all__ = ["PROBLEMS", "Outcome", "problems_of"]
