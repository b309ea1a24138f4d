"""What can be wrong with a file for LLaMA-Factory, and what it does about it."""

from __future__ import annotations

from ..findings import Problem

_STOPS = "LLaMA-Factory stops the load of the whole dataset"
_UNNAMED = "naming any column sets those that are not named to null"


def _stops(stage: str, what: str, mend: str, *, why: str = "") -> Problem:
    return Problem(stage, "error", what, f"{why}: {_STOPS}" if why else _STOPS, "crashed", mend)


def _drops(what: str, mend: str) -> Problem:
    return Problem("convert", "error", what, "LLaMA-Factory drops the row, with a log line", "deleted", mend)


def _kept(stage: str, what: str, consequence: str, mend: str) -> Problem:
    return Problem(stage, "warning", what, consequence, "kept", mend)


def _wrong(stage: str, what: str, consequence: str, mend: str) -> Problem:
    return Problem(stage, "error", what, consequence, "kept", mend)


PROBLEMS = {
    "bad_dataset_info": _stops("load", "dataset_info.json is not valid JSON", "correct the file"),
    "not_in_dataset_info": _kept(
        "load", "dataset_info.json has no entry with this file_name", "no --dataset names the file",
        "add an entry with its file_name",
    ),
    "other_formatting": _wrong(
        "load", "dataset_info.json says another form", "the rows are read as that form", "correct the entry",
    ),
    "columns_without_messages": _stops(
        "load", "`columns` does not name `messages`", "list every column that the file has", why=_UNNAMED,
    ),
    "columns_without_prompt": _wrong(
        "load", "`columns` does not name `prompt`", f"{_UNNAMED}: every question is empty",
        "list every column that the file has",
    ),
    "tags_incomplete": _stops(
        "load", "`tags` does not name all tags", "list every tag", why="those that are not named are null",
    ),
    "missing_column": _stops(
        "load", "a column that dataset_info.json names is in no row",
        "write it, with null, or leave it out of the entry",
    ),
    "turn_keys": _stops(
        "load", "no turn has the key of its role or of its text",
        "write both, or name their keys in `tags` of the entry",
    ),
    "duplicate_id": _kept("load", "duplicate id", "rows cannot be distinguished", "give each row an id of its own"),
    "no_messages": _stops("convert", "no conversation", "remove the row"),
    "empty_messages": _drops("a conversation without turns", "remove the row"),
    "message_keys": _stops("convert", "a turn that is no object", "give each turn a role and a text"),
    "unknown_role": _drops("no role, or one that is none of the tags", "use the tags of the entry"),
    "system_type": _stops("encode", "a system message that is no text", "write it as text"),
    "function_call": _stops(
        "encode", "a function_call that is not JSON with name and arguments", "write both, arguments as an object",
    ),
    "prompt_type": _stops("convert", "an instruction or input that is no text", "write it as text"),
    "alternation": _drops(
        "human and observation do not take turns with gpt and function_call",
        "merge or remove turns; a system message stands first",
    ),
    "odd_count": _drops("an odd number of turns: the last question has no answer", "remove the last turn"),
    "even_count": _drops(
        "an even number of turns before the two answers of a pair", "end the conversation with the question",
    ),
    "not_a_pair": _drops("`chosen` and `rejected` are not one message each", "write an object with role and text"),
    "answer_role": _kept(
        "convert", "an answer of a pair that is not gpt's", "it is encoded as a turn of that role",
        "use the tag of the assistant",
    ),
    "unknown_answer_role": _stops(
        "convert", "an answer of a pair with a role that is none of the tags", "use the tag of the assistant",
    ),
    "system_answer": _stops(
        "encode", "an answer of a pair with the role of the system message", "use the tag of the assistant",
    ),
    "same_answers": _kept(
        "convert", "both answers of a pair are the same", "nothing is learned from it", "remove the row",
    ),
    "kto_tag": _drops("no label true or false in `kto_tag`", "write true for a good answer, false for a bad one"),
    "empty_answer": _wrong(
        "encode", "an empty answer with a label", "a good one is trained as a bad one", "remove the row",
    ),
    "tag_in_answer": _stops(
        "encode", "a media tag in an answer with a label", "move it to the question",
        why="the answer is also set beside the question of another row, with that row's media",
    ),
    "no_output": _drops("`output` is no text", "remove the row"),
    "empty_prompt": _kept("convert", "neither instruction nor input", "the question is empty", "add the question"),
    "bad_history": _stops("convert", "`history` is not a list of pairs of question and answer", "write pairs of texts"),
    "history_letters": _wrong(
        "convert", "a text of two letters in `history`", "they are taken for a question and its answer",
        "write pairs of texts",
    ),
    "null_content": _stops("encode", "a turn without text", "remove the row"),
    "media_type": _stops("encode", "media that are not paths", "list paths"),
    "media_count": _stops("encode", "not as many tags as media", "write one tag for each medium"),
    "tag_in_system": _kept(
        "encode", "a media tag in the system message", "it does not count, and stays as text",
        "move it to the question",
    ),
    "tag_case": _kept(
        "encode", "a tag in another case", "it does not count, and stays as text", "write it in lower case",
    ),
    "model_token": _wrong(
        "encode", "a token of the model in a text", "the tokenizer takes it for a medium or the end of a turn",
        "remove it",
    ),
    "missing_file": _stops("encode", "no such file", "correct the path"),
    "unsupported_uri": _stops("encode", "a URI that LLaMA-Factory cannot open", "name a file"),
    "relative_path": _kept(
        "encode", "not an absolute path", "it is resolved from --media_dir, else from where training starts",
        "write absolute paths",
    ),
}  # fmt: skip
