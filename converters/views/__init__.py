"""Views: one SQL file per consumer's format, and how a view is found by name.

    base.py        `View` and the header of its file
    unified.sql    one line per sample, for people and tools
    msswift.sql    conversations for MS-SWIFT; msswift.py has its training command and settings
    nemo.sql, kaldi.sql, lhotse.sql, lhotse_shar.sql    utterances for NeMo, Kaldi, Lhotse
    features.sql                       texts beside acoustic features, which `../features/` makes
    hf.sql, webdataset.sql             samples with their media inside, for datasets and WebDataset
    croissant.sql                      the rows of unified, described in Croissant
    cot_messages.sql, cot_json.sql     chains of thought, as conversations and apart
    evaluation_list.sql, evaluation_items.sql, evaluation_chat.sql     rows that models are evaluated on
    calibration.sql                    rows on which experts are scored
    preference.sql                     pairs of answers; `../pairs/` chooses among them
    conversation_*.sql, llamafactory_*.sql, messages_*.sql    conversations for other trainers, a file for each style
    files/         the further files of versions, as other tools read them
    templates/     prompts, in `prompts.yaml`
    terms/         the chunks of `term-chunks`
    term_chunks.sql                    parts of utterances that name terms of a glossary
    phoneme_*.sql                      phones of utterances as conversations
    elements/      macros.sql and prepared.sql: the building blocks of rows
    prompts.py     templates/prompts.yaml as tables; user templates
    sql/           SQL as trees: what a request does not use is left out of its statement
    prepare.py     `prepared`: its tables and its statement, for one request
    statement.py   a view's SELECT, checked, with the columns of the account added
    values.py      what rows hold: reason codes, types and numbers that JSON can write
    batch.py       rows of samples in memory
    left_out.py    fields of samples that a view's rows do not carry
    handmade.py    one row from Python values

A package adds views through the entry points `triptych.views`: a name, and the path (or resource) of a `.sql` file.
"""

from __future__ import annotations

import difflib
import os
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from ...errors import UsageError, did_you_mean
from ..composition import balanced_order
from ..features.extract import extract
from ..features.options import complete as complete_features
from ..pairs.quota import choose_pairs
from ..pairs.report import told as told_pairs
from . import msswift
from .base import View, ViewOptions, make_view
from .files import calibration, croissant, hf, kaldi, lhotse, llamafactory, nemo, phoneme, term_chunks, webdataset
from .terms import certificate, expansion, glossary

__all__ = ["ENTRY_POINTS", "STYLES", "VIEWS", "View", "ViewOptions", "get_view"]

ENTRY_POINTS = "triptych.views"
_OWN = "to use your own view, name its file: triptych export ./my_view.sql (docs/how-to/bring-a-view.md)"


def _built_in(name: str, **code: Any) -> View:
    text = resources.files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    return make_view(text, file=f"{name}.sql", built_in=True, **code)


VIEWS: dict[str, View] = {
    "unified": _built_in("unified"),
    "msswift": _built_in(
        "msswift",
        train_command=msswift.train_command,
        trainer_settings=msswift.trainer_settings,
        trained_model=msswift.trained_model,
    ),
    "nemo": _built_in("nemo", write_files=nemo.write_files, lost=nemo.LOST),
    "kaldi": _built_in("kaldi", write_files=kaldi.write_files, choose=kaldi.refuse_merged_speakers),
    "lhotse": _built_in("lhotse", write_files=lhotse.write_files),
    "webdataset": _built_in("webdataset", write_files=webdataset.write_files, embeds_media=True),
    "hf": _built_in("hf", write_files=hf.write_files, embeds_media=True),
    "croissant": _built_in("croissant", write_files=croissant.write_files),
    "preference": _built_in("preference", choose=choose_pairs, tell=told_pairs),
    "calibration": _built_in(
        "calibration",
        arrange=balanced_order.arrange,
        choose=balanced_order.choose_first,
        write_files=calibration.write_files,
        certify=calibration.certify,
        tell=calibration.told,
    ),
    "features": _built_in("features", extract=extract, complete=complete_features, embeds_media=True),
    "term-chunks": _built_in(
        "term_chunks",
        expand=expansion.expand,
        write_files=term_chunks.write_files,
        complete=glossary.complete,
        option_files={"glossary": glossary.GLOSSARY_FILE, "aliases": glossary.ALIASES_FILE},
        certify=certificate.certify,
        tell=certificate.told,
        has_tests=True,
        states_times=True,
    ),
}

STYLES: dict[str, dict[str, View]] = {
    "cot": {
        "messages": _built_in("cot_messages", style="messages"),
        "json": _built_in("cot_json", style="json"),
    },
    "evaluation": {
        "list": _built_in("evaluation_list", style="list"),
        "items": _built_in("evaluation_items", style="items"),
        "chat": _built_in("evaluation_chat", style="chat"),
    },
    "phoneme": {
        "qwen2-audio": _built_in("phoneme_qwen2_audio", style="qwen2-audio", write_files=phoneme.write_files),
        "inline": _built_in("phoneme_inline", style="inline", write_files=phoneme.write_files),
    },
    "conversation": {
        "qwen2-audio": _built_in("conversation_qwen2_audio", style="qwen2-audio", trained_model=msswift.trained_model),
        "inline": _built_in("conversation_inline", style="inline"),
        "sharegpt": _built_in("conversation_sharegpt", style="sharegpt", trained_model=msswift.trained_model),
    },
    "lhotse": {
        "manifests": VIEWS["lhotse"],
        "shar": _built_in("lhotse_shar", style="shar", write_files=lhotse.write_shards, embeds_media=True),
    },
    "llamafactory": {
        style: _built_in(
            f"llamafactory_{style}",
            style=style,
            write_files=llamafactory.writer(style),
            train_command=llamafactory.train_command(style),
            trained_model=msswift.trained_model,
        )
        for style in ("sharegpt", "alpaca", "ranking", "kto")
    },
    "messages": {style: _built_in(f"messages_{style}", style=style) for style in ("openai", "hf", "trl")},
}
"""The views that have several forms of rows, by style; the first is the default. Each style is a file of its own."""

VIEWS |= {name: next(iter(styles.values())) for name, styles in STYLES.items()}


def get_view(name: str | os.PathLike[str], style: str | None = None) -> View:
    """The view of that name, or the view in that file if the name ends in `.sql` or is a path.

    Raises:
        UsageError: There is no such view, style or file, or it is not a valid view.
    """
    view = _find_view(name)
    if style is None:
        return view
    styles = STYLES.get(view.name, {}) if view.built_in else {}
    if not styles:
        raise UsageError(f"the view {view.name!r} has no styles: remove --style.")
    if style not in styles:
        raise UsageError(
            f"the view {view.name!r} has no style {style!r}: it has {', '.join(styles)}.",
            hint=did_you_mean(style, styles),
        )
    return styles[style]


def _find_view(name: str | os.PathLike[str]) -> View:
    if not isinstance(name, str | os.PathLike):
        raise UsageError(
            f"A view is a name or the path of a .sql file, not {name!r}.", hint=f"views: {', '.join(VIEWS)}"
        )
    is_path, name = isinstance(name, os.PathLike), str(os.fspath(name))
    if name in VIEWS and not is_path:
        return VIEWS[name]
    if name.endswith(".sql"):
        return _from_file(Path(name))
    if is_path or "/" in name or name.lower().endswith(".sql") or Path(name).is_file():
        raise UsageError(
            f"{name} is not a view: the file of a view ends in .sql.",
            hint=f"rename it: {Path(name).with_suffix('.sql')}" if Path(name).is_file() else _OWN,
        )
    others = {point.name: point for point in metadata.entry_points(group=ENTRY_POINTS)}
    if name in others:
        return _from_entry_point(others[name])
    close = difflib.get_close_matches(name.lower(), [*VIEWS, *others], 1)
    raise UsageError(
        f"There is no view {name!r}. Views: {', '.join([*VIEWS, *others])}.",
        hint=f"did you mean {close[0]}?" if close else _OWN,
    )


def _from_file(path: Path) -> View:
    try:
        view = make_view(path.read_text(encoding="utf-8-sig"), file=str(path))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start + 1} is not UTF-8.") from error
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}.", hint="check the path; docs/how-to/bring-a-view.md has a complete example"
        ) from error
    if view.name in VIEWS:
        raise UsageError(
            f"{path}: {view.name!r} is the name of a built-in view.",
            hint="rename the file, or set a name in its header: -- name: my-view",
        )
    return view


def _from_entry_point(point: metadata.EntryPoint) -> View:
    try:
        resource: Any = point.load()
        text = (Path(resource) if isinstance(resource, str) else resource).read_text(encoding="utf-8-sig")
    except Exception as error:
        raise UsageError(
            f"The view {point.name!r} of the entry point {point.value!r} cannot be read: {error}.",
            hint="the entry point must be the path of a .sql file, or a resource of importlib.resources",
        ) from error
    view = make_view(text, file=f"{point.name}.sql")
    if view.name != point.name:
        raise UsageError(f"The entry point {point.name!r} provides the view {view.name!r}: the names must be equal.")
    return view
