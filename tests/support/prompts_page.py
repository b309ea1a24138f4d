"""docs/reference/prompts.md, made from `converters/views/templates/prompts.yaml` as the views read it.

python tests/support/prompts_page.py > docs/reference/prompts.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from triptych.converters.row_options import PROMPT_LANGUAGES
from triptych.converters.views.prompts import MODALITIES, SILENT, answers_of, phrasings_of, tasks

HEAD = """# What is asked and answered

The user turn of a sample without a conversation is its task's prompt, and the answer is the first of these fields that
it has; a sample that has none of them has no row (`no_answer`), as has one of a task without a prompt (`no_prompt`). A
conversation keeps its own words. A silent video is one whose sound `--modality video` leaves out.
[Training rows](../how-to/training-rows.md#how-a-task-is-asked) says how to choose language and phrasing. This page is
made from `converters/views/templates/prompts.yaml`: `python tests/support/prompts_page.py > docs/reference/prompts.md`.
"""


def page() -> str:
    """The page as Markdown: all tasks in one table, then every phrasing."""
    rows = [
        f"| {task} | {_modalities(shown) or 'any'} | {' or '.join(map(_code, answers_of(task)))} "
        f"| {_cell(texts['en'][0])} | {_cell(texts['zh'][0])} | {len(texts['en'])} |"
        for task in tasks()
        for shown, texts in _groups(task)
    ]
    head = "| task | asked of | answer | English | Chinese | phrasings |\n| --- | --- | --- | --- | --- | --- |"
    return "\n".join([HEAD, head, *rows, "", "## All phrasings", "", *_phrasings(), ""])


def _phrasings() -> Iterator[str]:
    for task in tasks():
        for shown, texts in _groups(task):
            if len(texts["en"]) == 1:
                continue
            yield f"### {' of '.join(filter(None, [task, _modalities(shown)]))}\n"
            for language in PROMPT_LANGUAGES:
                yield f"* {language}: {' · '.join(map(_cell, texts[language]))}"
            yield ""


def _groups(task: str) -> Iterator[tuple[list[str], Mapping[str, tuple[str, ...]]]]:
    """The modalities that are asked alike, and how; a video without its sound is told only if it is asked otherwise."""
    by_modality = phrasings_of(task)
    for modality, texts in by_modality.items():
        alike = [other for other in by_modality if by_modality[other] == texts]
        if alike[0] == modality:
            yield alike, texts


def _modalities(shown: list[str]) -> str:
    names = ["silent video" if name == SILENT else name for name in shown]
    if set(MODALITIES) <= set(shown):
        return "" if SILENT in shown else "any but silent video"
    return ", ".join(names)


def _cell(text: str) -> str:
    return _code(text) if "{" in text else text


def _code(name: str) -> str:
    return f"`{name}`"


if __name__ == "__main__":
    sys.stdout.write(page())
