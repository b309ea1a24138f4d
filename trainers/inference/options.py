"""`InferOptions`: every option of `infer`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from ...errors import UsageError
from ...options import Option, Options
from ..data.sound import LONG, REFUSE
from ..models.model_loading import CHAT, RAW
from .token_draw import DecodingOptions

ASKED, MODEL, SOUND, SERVER, OUTPUT = "What is asked", "The model", "Sound", "A server", "Output"

TRANSFORMERS, OPENAI, FILE = "transformers", "openai", "file"
BACKENDS = (TRANSFORMERS, OPENAI, FILE)

TEMPLATES = (CHAT, RAW)
APIS = ("chat", "transcriptions")
DTYPES = ("float32", "bfloat16", "float16")
BASE64, URL = "base64", "url"


@dataclass(frozen=True, kw_only=True)
class ServerOptions(Options):
    """Options of a server that speaks OpenAI's protocol."""

    server: Annotated[
        str | None,
        Option("URL of a server that speaks OpenAI's protocol (vLLM, SGLang ...), such as http://localhost:8000/v1.",
               SERVER, metavar="URL"),
    ] = None  # fmt: skip
    api: Annotated[
        str, Option("chat (completions, sound and text) or transcriptions (sound alone).", SERVER, choices=APIS)
    ] = "chat"
    audio_as: Annotated[
        str,
        Option("How sound is sent: base64 (decoded to 16 kHz WAV), or url (web addresses as they are, paths as file:// "
               "for a server that may read them).", SERVER, choices=(BASE64, URL)),
    ] = BASE64  # fmt: skip
    concurrency: Annotated[int, Option("Requests at a time.", SERVER, min=1)] = 8
    timeout: Annotated[float, Option("Seconds to wait for an answer.", SERVER, above=0)] = 300.0
    retries: Annotated[
        int, Option("How often a request is repeated after 429, 5xx, a timeout or a lost connection.", SERVER, min=0)
    ] = 5
    key_env: Annotated[
        str, Option("The environment variable with the server's key; the key is never written.", SERVER, metavar="NAME")
    ] = "OPENAI_API_KEY"


@dataclass(frozen=True, kw_only=True)
class InferOptions(Options):
    """Options of `infer`."""

    model: Annotated[
        str | None,
        Option("A folder with a model, the name of one on the hub (Qwen/Qwen2-Audio-7B), or its name on the server.",
               MODEL, takes=str | Path, metavar="MODEL"),
    ] = None  # fmt: skip
    backend: Annotated[
        str | None,
        Option("Who answers: transformers (here), openai (--server) or file (--predictions); default: as those say.",
               MODEL, choices=BACKENDS),
    ] = None  # fmt: skip
    revision: Annotated[
        str | None, Option("Branch, tag or commit of a model on the hub; default: main.", MODEL, metavar="REVISION")
    ] = None
    download: Annotated[bool, Option("Download a model that is not here; without it, its size is told.", MODEL)] = False
    device: Annotated[
        str | None, Option("cpu, cuda, cuda:1, or auto (all devices); default: cuda if there is one, else cpu.", MODEL)
    ] = None
    dtype: Annotated[
        str | None,
        Option("Type of the weights; default: their own, and float32 on a cpu.", MODEL, choices=DTYPES),
    ] = None  # fmt: skip
    batch_size: Annotated[int, Option("Rows at a time.", MODEL, min=1)] = 8
    template: Annotated[
        str | None,
        Option("chat (the model's chat template) or raw (the sound, then the prompt as it is); default: chat if the "
               "model's files have a chat template.", MODEL, choices=TEMPLATES),
    ] = None  # fmt: skip
    language: Annotated[
        str | None, Option("The spoken language, for models that only transcribe; default: they tell.", MODEL)
    ] = None

    prompt_file: Annotated[
        Path | None, Option("A file of rows to ask: JSON Lines or a JSON array.", ASKED, metavar="FILE")
    ] = None
    audio: Annotated[tuple[Path, ...], Option("A clip to ask about.", ASKED, metavar="PATH")] = ()
    prompt: Annotated[str | None, Option("What is asked of clips, and of rows that ask nothing.", ASKED)] = None
    system: Annotated[
        str | None, Option("The system prompt of rows that have none, or @FILE.", ASKED, metavar="TEXT")
    ] = None
    user_template: Annotated[
        str | None,
        Option("The user turn, from {prompt} and {description} (the sound in words), or @FILE.", ASKED, metavar="TEXT"),
    ] = None  # fmt: skip
    examples: Annotated[
        Path | None, Option("Few-shot examples before every row: rows with their answers.", ASKED, metavar="FILE")
    ] = None
    limit: Annotated[int | None, Option("Ask only the first so many rows.", ASKED, metavar="N", min=1)] = None

    decoding: DecodingOptions = field(default_factory=DecodingOptions)

    long: Annotated[
        str,
        Option("Clips longer than the model hears (Qwen2-Audio and Whisper: 30 s): refuse (an error of the row), cut, "
               "or window (asked window by window, and the answers joined).", SOUND, choices=LONG),
    ] = REFUSE  # fmt: skip
    max_seconds: Annotated[
        float | None, Option("Seconds that the model hears; default: what its own files say.", SOUND, above=0)
    ] = None

    servers: ServerOptions = field(default_factory=ServerOptions)

    predictions: Annotated[
        Path | None,
        Option("A file of answers made elsewhere, to bring into the order and form of the asked rows.", OUTPUT,
               metavar="FILE"),
    ] = None  # fmt: skip
    out: Annotated[
        Path | None, Option("The file of predictions; an unfinished one is continued.", OUTPUT, metavar="FILE")
    ] = None
    force: Annotated[bool, Option("Begin anew, whatever --out holds.", OUTPUT)] = False

    @property
    def answers_by(self) -> str:
        """The backend."""
        if self.backend is not None:
            return self.backend
        return FILE if self.predictions is not None else OPENAI if self.servers.server is not None else TRANSFORMERS

    def check(self) -> None:
        by = self.answers_by
        if by == OPENAI and self.servers.server is None:
            raise UsageError("--backend openai needs the server.", hint="add --server http://localhost:8000/v1")
        if by == FILE and self.predictions is None:
            raise UsageError("--backend file needs the answers.", hint="add --predictions FILE")
        if by != OPENAI and self.servers.server is not None:
            raise UsageError(f"--server is for the backend openai, not {by}.")
        if by != FILE and self.predictions is not None:
            raise UsageError(f"--predictions is for the backend file, not {by}.")
        if by == OPENAI and self.decoding.num_beams > 1:
            raise UsageError("--num-beams: servers do not search with beams.", hint="remove --num-beams")
        if by == FILE and self.decoding.samples_per_row > 1:
            raise UsageError("--samples-per-row draws answers; a file has its own.", hint="remove --samples-per-row")
        if self.servers.server is not None and not self.servers.server.startswith(("http://", "https://")):
            raise UsageError(f"--server {self.servers.server}: expected a URL, such as http://localhost:8000/v1.")
        if self.servers.server is not None and ("?" in self.servers.server or "#" in self.servers.server):
            raise UsageError(
                f"--server {self.servers.server.partition('?')[0]}: an address without ? and # is expected.",
                hint="a key belongs in the environment variable of --key-env: rows keep the address",
            )
        if by != FILE and self.model is None:
            raise UsageError("--model must be given.", hint="a folder, a name on the hub, or its name on the server")
        if by == OPENAI and self.servers.api == "transcriptions" and (self.system or self.examples):
            raise UsageError("--api transcriptions takes sound alone.", hint="remove --system and --examples")
