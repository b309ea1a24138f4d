"""docs/reference/python.md, made from the signatures and docstrings of `triptych`, as `help()` shows them.

python tests/support/python_page.py > docs/reference/python.md
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

import triptych

HEAD = """# Python

`import triptych` offers the functions behind the commands. Every function takes `store=PATH`; without it the store is
`TRIPTYCH_STORE`, else `./store`. [Use it from Python](../how-to/python.md) shows them at work. This page is made from
the docstrings: `python tests/support/python_page.py > docs/reference/python.md`.
"""
SECTIONS = ("Args", "Parameters", "Attributes", "Returns", "Yields", "Raises", "Note", "Notes", "Example", "Examples")


def page() -> str:
    """The page as Markdown: functions first, then namespaces of functions, then errors."""
    public = {name: getattr(triptych, name) for name in triptych.__all__ if not name.startswith("_")}
    parts = [HEAD]
    for name, value in public.items():
        if inspect.isfunction(value):
            parts.append(_function(f"triptych.{name}", value))
    for name, value in public.items():
        if not inspect.isfunction(value) and not inspect.isclass(value):
            parts += [_function(f"triptych.{name}.{inner}", function) for inner, function in _functions_of(value)]
    errors = [value for value in public.values() if inspect.isclass(value) and issubclass(value, Exception)]
    rows = "\n".join(f"| `{error.__name__}` | {_exit_code(error)} | {_summary(error)} |" for error in errors)
    parts.append(f"## Errors\n\n| error | exit code | meaning |\n| --- | --- | --- |\n{rows}\n")
    return "\n".join(parts)


def _functions_of(namespace: Any) -> Iterator[tuple[str, Any]]:
    for name in sorted(getattr(namespace, "__all__", None) or dir(namespace)):
        value = getattr(namespace, name)
        if not name.startswith("_") and inspect.isroutine(value):
            yield name, value


def _function(name: str, function: Any) -> str:
    return f"## {name}\n\n```py\n{_signature(name, function)}\n```\n\n{_docstring(function)}\n"


def _signature(name: str, function: Any) -> str:
    """One parameter a line; types as they are written, without the names of modules."""
    signature = inspect.signature(function)
    parameters = [str(parameter) for parameter in signature.parameters.values()]
    names = [parameter.name for parameter in signature.parameters.values()]
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    keyword = [p.name for p in signature.parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    if keyword and inspect.Parameter.VAR_POSITIONAL not in kinds:
        parameters.insert(names.index(keyword[0]), "*")
    returns = signature.return_annotation
    arrow = "" if returns is inspect.Signature.empty else f" -> {_plain(inspect.formatannotation(returns))}"
    lines = "".join(f"    {_plain(parameter)},\n" for parameter in parameters)
    return (
        f"{name}(\n{lines}){arrow}" if len(parameters) > 2 else f"{name}({', '.join(map(_plain, parameters))}){arrow}"
    )


def _plain(text: str) -> str:
    """Annotations are texts in our modules: their quotes go, those of a default stay."""
    text = re.sub(r"\b(?:[a-z_]+\.)+([A-Z]\w*)", r"\1", text)
    return re.sub(r"^([^=]*?)'([^'=]*)'", r"\1\2", text)


def _docstring(function: Any) -> str:
    """Google sections as bold words with lists; all else is Markdown already."""
    lines: list[str] = []
    inside = False
    for line in (inspect.getdoc(function) or "").splitlines():
        section = line[:-1] if line.endswith(":") and line[:-1] in SECTIONS else None
        if section:
            inside = True
            lines += [f"**{section.replace('Args', 'Arguments')}**", ""]
        elif inside and (item := re.match(r"    (\*{0,2}[\w, ]+)(?: \([^)]*\))?: (.*)", line)):
            lines.append(f"* `{item[1]}`: {item[2]}" if ", " not in item[1] else f"* {_each(item[1])}: {item[2]}")
        elif inside and line.startswith("        "):
            lines.append("  " + line.strip())
        elif inside and line.startswith("    "):
            lines.append(line.strip())
        else:
            inside = inside and not line
            lines.append(line)
    return "\n".join(lines).rstrip()


def _each(names: str) -> str:
    return ", ".join(f"`{name}`" for name in names.split(", "))


def _exit_code(error: type[Exception]) -> str:
    return str(getattr(error, "exit_code", ""))


def _summary(error: type[Exception]) -> str:
    return (inspect.getdoc(error) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
