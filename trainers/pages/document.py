"""A page from its template: one HTML file whose policy allows its own style and script and nothing else.

The policy (Content-Security-Policy) names style and script by their SHA-256, so that text from data which got into the
page as markup could still neither run nor load anything. Everything from data is escaped by Jinja's autoescape, or is
JSON in a data block. Characters that a browser does not show, or that reorder what stands around them, become visible.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError

if TYPE_CHECKING:
    from markupsafe import Markup

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters, bidirectional controls, unpaired surrogates. Line ends and tabs stay, and so do joiners, which
spelling needs in some scripts."""

_IN_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def visible(text: str) -> str:
    """Return a text with its hidden characters written as `[U+202E]`."""
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(lambda match: f"[U+{ord(match[0]):04X}]", text.replace("\r\n", "\n"))


def render(
    package: str,
    template: str,
    *,
    style: str = "",
    script: str = "",
    media: str = "",
    has_charts: bool = False,
    filters: Mapping[str, Callable[..., Any]] | None = None,
    **values: Any,
) -> str:
    """Render the page `template` of a package.

    Args:
        package: Where the template and the files `style` and `script` are.
        style: A file with style of its own, after that of all pages.
        script: The file of its script; default: it has none.
        media: The sources of media that the policy allows, such as `data:`.
        has_charts: Whether it has charts of lines, which have a style of their own.
        filters: Filters of the template, beside `visible`, `number` and `json`.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package, "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"visible": visible, "number": "{:,}".format, "json": data_block, **(filters or {})}
    sheet = _text("triptych.trainers.pages", "page.css")
    sheet += _text("triptych.trainers.pages", "line_chart.css") if has_charts else ""
    sheet += _text(package, style) if style else ""
    code = _text(package, script) if script else ""
    policy = ["default-src 'none'", f"style-src {_hash(sheet)}", "base-uri 'none'", "form-action 'none'"]
    policy += [f"script-src {_hash(code)}"] if code else []
    policy += [f"media-src {media}", f"img-src {media}"] if media else []
    return environment.get_template(template).render(
        style=Markup(sheet), script=Markup(code), policy="; ".join(policy), **values
    )


def data_block(value: Any) -> Markup:
    """Return a value as JSON that may stand in a `<script type="application/json">`."""
    from markupsafe import Markup

    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup("".join(_IN_SCRIPT.get(each, each) for each in text))


def write_page(path: Path, text: str, *, force: bool = False) -> None:
    """Write a page under a temporary name and rename it; one that is there already with the same bytes is kept.

    Raises:
        UsageError: Another file has that name, and `force` is not set.
    """
    content = text.encode()
    check_writable(path)
    if path.exists():
        if path.read_bytes() == content:
            return
        if not force:
            raise UsageError(f"{path} exists and is another page.", hint="overwrite it with --force, or name another")
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_bytes(content)
        scratch.rename(path)
    finally:
        scratch.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raise UsageError if no file can be written there."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UsageError(f"{path}: it is a folder, or lies in a folder that does not exist.")


def _text(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
