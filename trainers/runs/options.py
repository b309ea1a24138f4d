"""`TrainOptions`: the options of every command that trains, and the configuration that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from ...errors import UsageError
from ...options import Option, Options, flag_of

if TYPE_CHECKING:
    from .config.read import ReadConfig, Setting
    from .config.sections import RunConfig

    C = TypeVar("C", bound=RunConfig)

CONFIGURATION, RUN = "Configuration", "The run"

CONFIG_FILE = "config.yaml"
"""The configuration in a run's folder, with every key."""

_KEYS = {"model": "model.base_model", "revision": "model.revision", "download": "model.download",
         "output_dir": "output_dir"}  # fmt: skip
"""The options that set a key of the configuration."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions(Options):
    """Options of `train sft` and of the other trainers."""

    config: Annotated[
        Path | None,
        Option("The configuration, a YAML file (triptych train config writes examples).", CONFIGURATION,
               metavar="FILE"),
    ] = None  # fmt: skip
    values: Annotated[
        Mapping[str, str],
        Option("A key of the configuration, in place of the file's: --set training.lr=1e-4 --set lora={}.",
               CONFIGURATION, flags=("--set",), metavar="KEY=VALUE"),
    ] = field(default_factory=dict)  # fmt: skip
    model: Annotated[
        str | None,
        Option("model.base_model: a folder with a model, or the name of one on the hub.", CONFIGURATION,
               takes=str | Path, metavar="MODEL"),
    ] = None  # fmt: skip
    revision: Annotated[
        str | None,
        Option("model.revision: branch, tag or commit of a model on the hub.", CONFIGURATION, metavar="REVISION"),
    ] = None  # fmt: skip
    download: Annotated[
        bool, Option("model.download: download a model that is not here; without it, its size is told.", CONFIGURATION)
    ] = False
    output_dir: Annotated[
        Path | None,
        Option("output_dir: the folder of the run.", RUN, flags=("--output-dir", "--output_dir"), metavar="DIR"),
    ] = None  # fmt: skip
    dry_run: Annotated[
        bool,
        Option("Check data, model and one batch, tell what would be trained and what it would take, and stop.", RUN),
    ] = False
    resume: Annotated[
        bool,
        Option("Continue the run in --output-dir from its last checkpoint; its own configuration is read.", RUN),
    ] = False
    data_dir: Annotated[
        Path | None,
        Option("Of older scripts: a run reads exports, not folders; says how to make one of this folder.", RUN,
               flags=("--data-dir", "--data_dir"), metavar="DIR"),
    ] = None  # fmt: skip

    def check(self) -> None:
        if self.data_dir is not None:
            raise UsageError(
                f"--data-dir {self.data_dir}: a run reads published exports, not folders.",
                hint=_instead_of(self.data_dir),
            )
        if self.resume and self.output_dir is None and self.config is None:
            raise UsageError("--resume: which run is to be continued?", hint="add --output-dir DIR")
        if self.resume and self.dry_run:
            raise UsageError("--resume and --dry-run: a dry run continues nothing.", hint="give one of them")


def _instead_of(folder: Path) -> str:
    if (folder / "store.json").is_file():
        return f"this folder is a store: --store {folder}, and the name of an export of it"
    files = [path for path in sorted(folder.glob("*")) if path.suffix in (".jsonl", ".json", ".csv")]
    what = f"{files[0].suffix[1:]} {files[0]}" if files else f"folder {folder}"
    return f"triptych import {what} --name mine; triptych export conversation --dataset mine; then name the export"


def configuration(model: type[C], options: TrainOptions, export: str | None = None) -> ReadConfig[C]:
    """Read the configuration that options ask for.

    Args:
        model: The configuration of the trainer, such as `RunConfig`.
        options: The options of the command.
        export: The export that is trained on; None: the configuration names it.

    Raises:
        UsageError: The configuration is invalid; the message lists every problem.
    """
    from .config.read import read_config

    path = options.config
    if path is None and options.resume and options.output_dir is not None:
        path = options.output_dir / CONFIG_FILE
        if not path.is_file():
            raise UsageError(f"--resume: {options.output_dir} holds no run: it has no {CONFIG_FILE}.")
    return read_config(model, path, _settings(options, export))


def _settings(options: TrainOptions, export: str | None) -> list[Setting]:
    from .config.read import Setting

    found = [Setting("--set", key, value, is_yaml=True) for key, value in options.values.items()]
    for name, key in _KEYS.items():
        value = getattr(options, name)
        if value not in (None, False):
            if key in options.values:
                raise UsageError(f"--set {key}: {flag_of(TrainOptions, name)} says the same: give one of them.")
            found.append(Setting(flag_of(TrainOptions, name), key, value))
    if export is not None:
        found.append(Setting("the export", "data.train", export))
    return found
