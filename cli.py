"""The command line: one Typer app over the functions of the API.

Exit codes: 0 success; 1 problems were found (and printed); 2 usage error; 3 network, gate or missing login; 4 damaged
data or store. Heavy imports happen inside the commands, so that `--help` is fast.
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

from .commands import convert, data, demo, export, exports, output, samples, store
from .commands.catalog import cards
from .commands.help import QuietOption, VerboseOption, add, group
from .commands.models import evaluate, infer, phoneme, prune, retrieve, review, train
from .commands.parameters import VersionOption
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

app = group(HELP, completion=True)
add(app, "demo", demo.demo, heading=DATASETS)
app.add_typer(cards.app, name="catalog", rich_help_panel=DATASETS)
add(app, "import", data.import_, heading=DATASETS, examples=data.IMPORT_EXAMPLES)
add(app, "validate", data.validate, heading=QUALITY, examples=data.VALIDATE_EXAMPLES)
add(app, "annotate", data.annotate, heading=QUALITY, examples=data.ANNOTATE_EXAMPLES)
add(app, "align", samples.align, heading=QUALITY, examples=samples.ALIGN_EXAMPLES)
add(app, "explain", data.explain, heading=QUALITY)
add(app, "split", samples.split, heading=TRAINING, examples=samples.SPLIT_EXAMPLES)
add(app, "export", export.export, heading=TRAINING, examples=export.EXAMPLES)
app.add_typer(exports.app, name="exports", rich_help_panel=TRAINING)
add(app, "convert", convert.convert, heading=TRAINING, examples=convert.EXAMPLES)
add(app, "validate-file", data.validate_file, heading=TRAINING)
add(app, "infer", infer.infer, heading=MODELS, examples=infer.EXAMPLES)
add(app, "retrieve", retrieve.retrieve, heading=MODELS, examples=retrieve.EXAMPLES)
add(app, "evaluate", evaluate.evaluate, heading=MODELS, examples=evaluate.EXAMPLES)
app.add_typer(review.app, name="review", rich_help_panel=MODELS)
app.add_typer(train.app, name="train", rich_help_panel=MODELS)
app.add_typer(phoneme.app, name="phoneme", rich_help_panel=MODELS)
add(app, "prune", prune.prune, heading=MODELS, examples=prune.EXAMPLES)
add(app, "query", data.query, heading=STORE, examples=data.QUERY_EXAMPLES)
app.add_typer(store.app, name="store", rich_help_panel=STORE)


@app.callback(epilog=EXAMPLES)
def root(
    version: VersionOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Audio and video datasets, from a name in a catalog to a verified, versioned, trainer-ready view."""
    output.set_level(quiet=quiet, verbose=verbose)


def main() -> None:
    """The command `triptych`."""
    sys.exit(_run(app, "triptych"))


def catalog_main() -> None:
    """The command `catalog`: `catalog pull librispeech` is `triptych catalog pull librispeech`."""
    sys.exit(_run(cards.app, "catalog"))


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
