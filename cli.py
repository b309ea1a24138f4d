"""The command line: the table of all commands, which are functions over those of the API, and how one is run.

Exit codes: 0 success; 1 problems were found (and printed); 2 usage error; 3 network, gate or missing login; 4 damaged
data or store. A command's module is imported when that command is asked for, and what is heavy when it is run.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import re
import sys
from functools import lru_cache
from typing import Any

import typer

from .commands import output
from .commands.help import QuietOption, VerboseOption, VersionOption
from .commands.table import Entry, Group
from .errors import DamagedError, TriptychError, UsageError

log = logging.getLogger("triptych")

EXAMPLES = """
triptych demo
triptych catalog pull librispeech --samples 1000
triptych validate
triptych export msswift --task sft --split train
"""

HELP = "Audio and video datasets, from a name in a catalog to a verified, versioned, trainer-ready view."
DATASETS, QUALITY, TRAINING = "Datasets", "Quality", "Files for training"
MODELS, STORE = "Models", "The store"


def root(
    version: VersionOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """What is asked of the program itself, before a command."""
    output.set_level(quiet=quiet, verbose=verbose)


catalog = Group(
    "Datasets by name: list, show, check, pull, fetch.",
    {
        "list": Entry("catalog.cards.list_cards", examples="LIST_EXAMPLES"),
        "show": Entry("catalog.cards.show"),
        "check": Entry("catalog.cards.check"),
        "lint": Entry("catalog.cards.lint"),
        "pull": Entry("catalog.pull.pull", examples="PULL_EXAMPLES"),
        "fetch": Entry("catalog.pull.fetch", examples="FETCH_EXAMPLES"),
    },
    heading=DATASETS,
    callback=root,
)
exports = Group(
    "The published versions of exports: list, verify, compare, copy.",
    {
        "list": Entry("files.exports.list_"),
        "show": Entry("files.exports.show"),
        "path": Entry("files.exports.path"),
        "verify": Entry("files.exports.verify"),
        "diff": Entry("files.exports.diff"),
        "which": Entry("files.exports.which"),
        "relocate": Entry("files.exports.relocate"),
        "pack": Entry("files.exports.pack"),
        "rebuild": Entry("files.exports.rebuild"),
        "gc": Entry("files.exports.gc"),
        "push": Entry("files.exports.push"),
    },
    heading=TRAINING,
)
review = Group(
    "Human review: rows drawn at random on a page with players, and what the reviewers said of them.",
    {
        "make": Entry("models.review.make", examples="MAKE_EXAMPLES"),
        "read": Entry("models.review.read", examples="READ_EXAMPLES"),
    },
    heading=MODELS,
)
train = Group(
    "Training: a model on a published export, with checkpoints from which it goes on exactly.",
    {
        "sft": Entry("models.train.sft", examples="SFT_EXAMPLES"),
        "contrastive": Entry("models.retrieve.contrastive", examples="CONTRASTIVE_EXAMPLES"),
        "dpo": Entry("models.train.dpo", examples="DPO_EXAMPLES"),
        "phoneme": Entry("models.train.phoneme", examples="PHONEME_EXAMPLES"),
        "export": Entry("models.train.export", examples="EXPORT_EXAMPLES"),
        "config": Entry("models.train_config.config", examples="EXAMPLES"),
    },
    heading=MODELS,
)
phoneme = Group(
    "Phones out of speech: what a run of `train phoneme` says, and how well a clip was pronounced.",
    {
        "build-vocabulary": Entry("models.phoneme.build_vocabulary", examples="BUILD_EXAMPLES"),
        "infer": Entry("models.phoneme.infer", examples="INFER_EXAMPLES"),
    },
    heading=MODELS,
)
store = Group(
    "Maintenance of the store: show what is in it, compact it, remove from it.",
    {
        "init": Entry("store.init"),
        "status": Entry("store.status"),
        "compact": Entry("store.compact"),
        "gc": Entry("store.gc"),
        "refresh": Entry("store.refresh"),
        "remove": Entry("store.remove"),
        "restore": Entry("store.restore"),
        "verify": Entry("store.verify"),
    },
    heading=STORE,
)
app = Group(
    HELP,
    {
        "demo": Entry("demo.demo", DATASETS),
        "catalog": catalog,
        "import": Entry("samples.imports.import_", DATASETS, "EXAMPLES"),
        "validate": Entry("samples.validate.validate", QUALITY, "EXAMPLES"),
        "annotate": Entry("samples.annotate.annotate", QUALITY, "EXAMPLES"),
        "align": Entry("samples.align.align", QUALITY, "EXAMPLES"),
        "explain": Entry("samples.annotate.explain", QUALITY),
        "split": Entry("samples.split.split", TRAINING, "EXAMPLES"),
        "export": Entry("files.export.export", TRAINING, "EXAMPLES"),
        "exports": exports,
        "convert": Entry("files.convert.convert", TRAINING, "EXAMPLES"),
        "validate-file": Entry("files.validate_file.validate_file", TRAINING),
        "infer": Entry("models.infer.infer", MODELS, "EXAMPLES"),
        "retrieve": Entry("models.retrieve.retrieve", MODELS, "EXAMPLES"),
        "evaluate": Entry("models.evaluate.evaluate", MODELS, "EXAMPLES"),
        "review": review,
        "train": train,
        "phoneme": phoneme,
        "prune": Entry("models.prune.prune", MODELS, "EXAMPLES"),
        "query": Entry("samples.query.query", STORE, "EXAMPLES"),
        "store": store,
    },
    examples=EXAMPLES,
    callback=root,
    completion=True,
)


def main() -> None:
    """The command `triptych`."""
    sys.exit(_run(app, "triptych"))


def catalog_main() -> None:
    """The command `catalog`: `catalog pull librispeech` is `triptych catalog pull librispeech`."""
    sys.exit(_run(catalog, "catalog"))


def _run(application: typer.Typer, name: str) -> int:
    """Run a command; turn every error that the user can act on into a message and its exit code."""
    _write_utf8()
    _log_to_stderr()
    try:
        try:
            code = _invoke(application, name)
        except TriptychError as error:
            code = _report(error)
        except OSError as error:
            code = _report(_from_os_error(error))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader of our output has closed the pipe (`| head`): not an error, and nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        output.note("stopped; run the same command again to continue where it stopped")
        return 130


@lru_cache(maxsize=2)
def _command(application: typer.Typer) -> Any:
    """The parsed form of an application, which is the same for all commands that a process runs."""
    return typer.main.get_command(application)


def _invoke(application: typer.Typer, name: str) -> int:
    """Like Typer's own main, but let errors, broken pipes and Ctrl-C propagate."""
    if any(not _is_utf8(argument) for argument in sys.argv):
        raise UsageError("The command line contains bytes that are not UTF-8.")
    command = _command(application)
    if f"_{name.upper()}_COMPLETE" in os.environ:
        # The shell requests completions, or the completion script.
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
        command.main(prog_name=name)
    try:
        with command.make_context(name, sys.argv[1:]) as context:
            command.invoke(context)
    except typer.Exit as done:
        return done.exit_code
    except Exception as error:
        if str(error) == "Query interrupted":
            # How DuckDB reports Ctrl-C.
            raise KeyboardInterrupt from error
        # A usage error: its class differs between versions of Typer, its methods do not.
        if not hasattr(error, "format_message"):
            raise
        _use_own_words(error)
        if "--json" not in sys.argv:
            error.show()  # type: ignore[attr-defined]
            return int(error.exit_code)  # type: ignore[attr-defined]
        message = error.format_message() or "a command is missing."
        raise UsageError(message, hint=f"{name} --help") from error
    return 0


_SAID = re.compile(
    r"Input should be (a valid|greater than or equal to|less than or equal to) (\S+?)(?:,.*)?", re.DOTALL
)
_KINDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}
_LIMITS = {"greater than or equal to": "at least", "less than or equal to": "at most"}


def _use_own_words(error: Any) -> None:
    """Replace what the library that converts values says of a bad one: it speaks of inputs and of parsing."""
    said = _SAID.fullmatch(str(getattr(error, "message", "")))
    if said is not None:
        limit = _LIMITS.get(said[1])
        expected = f"{limit} {said[2]}" if limit else _KINDS.get(said[2], f"a valid {said[2]}")
        error.message = f"{expected} is expected."


def _report(error: TriptychError) -> int:
    log.debug("full traceback", exc_info=error)
    output.report_error(error, as_json="--json" in sys.argv)
    return error.exit_code


_NO_FILE = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR)
"""What the system says of a name that can't be that of the file it is given for."""


def _from_os_error(error: OSError) -> TriptychError:
    """Convert disk and permission errors, which the user can fix; others are bugs and propagate."""
    if error.errno not in (*_NO_FILE, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM):
        raise error
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in _NO_FILE:
        return UsageError(f"{where}{error.strerror}.")
    return DamagedError(f"{where}{error.strerror}.", hint="free space or fix permissions, then run the command again")


def _is_utf8(text: str) -> bool:
    return text == text.encode(errors="replace").decode(errors="replace")


def _write_utf8() -> None:
    """Write UTF-8 whatever the locale; characters that cannot be encoded become escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("triptych")
    log.handlers = [handler]
    output.reset_level()


if __name__ == "__main__":
    main()
