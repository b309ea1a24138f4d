"""`run.json`, the record of a run: where it lies, its format, and how it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....errors import DamagedError

RECORD = "run.json"
FORMAT = 1


def read_record(folder: Path) -> dict[str, Any]:
    """Read the record of a run.

    Raises:
        DamagedError: It is missing or not readable.
    """
    path = folder / RECORD
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DamagedError(f"{path}: {error}", hint="is this the folder of a run?") from error
    except ValueError as error:
        raise DamagedError(f"{path}: {error}", hint=_ANEW) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT or not isinstance(found.get("sessions"), list):
        raise DamagedError(
            f"{path}: a record of format {FORMAT} is expected.", hint=f"another version wrote it; {_ANEW}"
        )
    return found


_ANEW = "move it away: a run that goes on with --resume begins it anew"


def rates_of(record: Mapping[str, Any]) -> str:
    """The learning rate of each part that is trained, and the schedule; where a record has none, that of the run."""
    training = record["configuration"]["training"]
    parts = [f"{part.replace('_', ' ')} {', then '.join(f'{rate:g}' for rate in dict.fromkeys(rates))}"
             for part, rates in record.get("learning_rates", {}).items()]  # fmt: skip
    return f"{'; '.join(parts) or format(training['lr'], 'g')}; {training['schedule']}"
