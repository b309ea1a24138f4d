"""The command line: one Typer app over the functions of the API.

Exit codes: 0 done; 1 problems were found (and printed); 2 wrong usage; 3 the network, a gate or a missing login; 4
damaged data or store. Heavy imports happen inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable

import typer

from . import __version__
from .commands import catalog, data, demo, export, output, store
from .errors import DamagedError, TriptychError

app = typer.Typer(
    name="triptych",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Audio and video datasets, from a name in a catalog to a verified, versioned, trainer-ready view.",
)
app.command("demo")(demo.demo)
app.add_typer(catalog.app, name="catalog")
app.command("import")(data.import_)
app.command("validate")(data.validate)
app.command("validate-file")(data.validate_file)
app.command("export")(export.export)
app.add_typer(export.app, name="exports")
app.command("query")(data.query)
app.command("annotate")(data.annotate)
app.command("explain")(data.explain)
app.add_typer(store.app, name="store")


def _version(value: bool) -> None:
    if value:
        output.say(f"triptych {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Audio and video datasets, from a name in a catalog to a verified, versioned, trainer-ready view."""


def main() -> None:
    """The command `triptych`."""
    _run(app)


def catalog_main() -> None:
    """The command `catalog`: `catalog pull librispeech` is `triptych catalog pull librispeech`."""
    _run(catalog.app)


def _run(command: Callable[[], None]) -> None:
    """Run a command; every error the user can act on becomes a message and its exit code."""
    _log_to_stderr()
    as_json = "--json" in sys.argv
    try:
        command()
    except TriptychError as error:
        output.report_error(error, as_json=as_json)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        output.note("stopped; run the same command again to go on where it was")
        sys.exit(130)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        where = f"{error.filename}: " if error.filename else ""
        failure = DamagedError(f"{where}{error.strerror}.", hint="free space or fix permissions, then run it again")
        output.report_error(failure, as_json=as_json)
        sys.exit(failure.exit_code)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("triptych")
    log.handlers = [handler]
    log.setLevel(logging.INFO)


if __name__ == "__main__":
    main()
