"""Tables whose values are made when they are first asked for: modules that a process may never need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, TypeVar

V = TypeVar("V")


class OnDemand(Mapping[str, V]):
    """Names and what each stands for: `make` is called with both when the value of a name is first asked for.

    Asking for names makes no value. An error of `make` is never taken for a name that is not there.
    """

    def __init__(self, entries: Mapping[str, Any], make: Callable[[str, Any], V]) -> None:
        self.entries = entries
        self._make = make
        self._made: dict[str, V] = {}

    def __getitem__(self, name: str) -> V:
        if name not in self._made:
            self._made[name] = self._make(name, self.entries[name])
        return self._made[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self.entries else default

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def modules(package: str, names: Mapping[str, str]) -> OnDemand[Any]:
    """Modules of a package by name: `{"hf": "messages.hf"}`."""
    return OnDemand(names, lambda _, module: import_module(f"{package}.{module}"))
