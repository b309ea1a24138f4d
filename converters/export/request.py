"""The export request: the options, resolved and checked for one view and store."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from typing import Any

from ...errors import UsageError
from ...shards.sample import check_name
from ...shards.store.store import Store
from ..budget.limits import CONVERSATIONS, Limits
from ..composition.options import Composition
from ..row_options import prompts_for, shown_av
from ..views import View, ViewOptions, get_view
from ..views.base import check_task
from ..views.prompts import ANY_TAG, TAG_FIELD, check_template
from ..views.statement import check_conversations, columns_of, reads, reasoning_for
from .media.change import SoundChange
from .media.noise import NOT_SPOKEN
from .options import ExportOptions
from .select import ExportFilter, describe, keeps_no_split


@dataclass(frozen=True, slots=True)
class Request:
    """One checked request; equal requests over equal tables produce equal bytes."""

    view: View
    name: str
    selection: ExportFilter
    options: ViewOptions
    order: str
    seed: int
    media_root: str
    composition: Composition
    sound: SoundChange | None = None
    limits: Limits | None = None

    def describe(self) -> dict[str, Any]:
        """The request as recorded in the manifest and the run."""
        return {
            "options": asdict(self.options),
            "selection": describe(self.selection),
            "order": self.order,
            "seed": self.seed,
            **({} if self.sound is None else {"sound": asdict(self.sound)}),
            **({"limits": self.limits.describe()} if self.limits else {}),
            **({"composition": self.composition.asked()} if self.composition.is_set else {}),
        }


def _datasets(options: ExportOptions) -> tuple[str, ...]:
    """The datasets to select; a mix has those that it names, unless others are asked for too."""
    asked, mixed = set(options.datasets), set(options.composition.mix or ())
    if asked and (others := sorted(mixed - asked)):
        raise UsageError(
            f"--mix {options.composition.mix}: {others[0]} is not among the datasets of --dataset.",
            hint=f"add --dataset {others[0]}, or remove --dataset: a mix selects its datasets itself",
        )
    return tuple(sorted(asked or mixed))


def make_request(view_name: str | os.PathLike[str], *, store: Store, options: ExportOptions) -> Request:
    """Resolve the options for a view.

    Raises:
        UsageError: There is no such view, or an option is not valid for it.
    """
    view = get_view(view_name, options.style)
    task = check_task(view, options.task)
    system, user_template = options.system or None, options.user_template
    if user_template is not None:
        check_template(user_template)
    for option, value in (("--system", system), ("--user-template", user_template)):
        if value and (tag := re.search(ANY_TAG, value)):
            raise UsageError(
                f"{option} contains {tag[0]}: a row has as many tags as media, so tags cannot be written by hand.",
                hint=f'set their position with {{{TAG_FIELD}}}: --user-template "{{{TAG_FIELD}}}{{prompt}}"',
            )
    if view.states_times and options.sound.speed is not None:
        raise UsageError(f"The view {view.name!r} says when words are heard: --speed would make that wrong.")
    own = options.of_view(view.name, view.options)
    noise = options.sound.noise
    if own.get("unseen_terms") and noise is not None and noise not in NOT_SPOKEN and "/" not in noise:
        raise UsageError(
            f"--noise {noise}: what is said in it may be an unseen term, which training would hear.",
            hint="--noise pink, white or a folder without speech; or remove --unseen-terms",
        )
    rows = ViewOptions(
        task,
        options.text or view.text,
        system,
        user_template,
        options.allow_answer_in_prompt,
        reasoning_for(view, task, options.reasoning),
        shown_av(options.modality, options.av),
        options.captions,
        modality=options.modality,
        prompts=prompts_for(options.prompts, options.prompts_per_sample, user_template),
        prompt_language=options.prompt_language,
        prompts_per_sample=options.prompts_per_sample,
        seed=options.seed,
        mode=options.mode,
        pairs="rejected_answer" in reads(view, task),
        own=own if view.complete is None else view.complete(own),
    )
    check_conversations(view, rows)
    if view.embeds_media and options.media_root is not None:
        raise UsageError(
            f"The view {view.name!r} holds what it takes of the media itself: --media-root is for rows that name it.",
            hint="remove --media-root",
        )
    root = options.media_root or str(store.root)
    name = options.name or "-".join(dict.fromkeys(part for part in (view.name, view.style, task) if part))
    return Request(
        view,
        check_name(name, what="export"),
        ExportFilter(
            _datasets(options),
            options.splits,
            keeps_no_split(options.splits, options.no_split),
            options.where,
            options.broken_splits,
            options.include_rejected,
        ),
        rows,
        options.order or view.order,
        options.seed,
        root.rstrip("/") or "/",
        options.composition,
        options.sound.change(),
        _limits(view, task, options),
    )


def _limits(view: View, task: str | None, options: ExportOptions) -> Limits | None:
    by_tokens = options.composition.measure == "tokens"
    if by_tokens and options.model is None and view.model is None:
        raise UsageError("--mix-by tokens needs a model.", hint="add --model qwen2-audio")
    limits = Limits.of(
        options.model or view.model,
        options.max_tokens,
        options.max_seconds,
        options.long,
        options.tokenizer,
        required=view.model is not None,
    )
    needs = limits is not None and limits.needs_tokens
    if (needs or by_tokens) and not set(CONVERSATIONS) & set(columns_of(view, task)):
        asked = "--mix-by tokens" if not needs else "--max-tokens" if view.model is None else "its header"
        raise UsageError(
            f"Only conversations have tokens, which {asked} asks for; the view {view.name!r} has none.",
            hint="--mix-by rows or hours, or a view of conversations: msswift, conversation, messages"
            if not needs
            else "--where on the column budget counts media: budget.qwen2_audio.audio_tokens < 700",
        )
    return limits
