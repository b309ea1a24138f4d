"""The units of a source: for every configuration and split that is wanted, the files that hold it."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import GateError
from ..files.file_set import Access, FileSet, password_of
from ..files.open import SEEKABLE, Handling, Opening, fingerprint_of, is_archive
from ..files.resolve import parts_of
from ..schema.card import Card
from ..schema.files import Group, groups
from ..schema.source import SourceCard
from ..sources.download.http import NotFound
from ..sources.synthetic.source import LANGUAGES, SyntheticSource


def units_of(
    source: SourceCard, card: Card, splits: Sequence[str], configs: Sequence[str], access: Access
) -> list[FileSet]:
    """The units of a source that hold the wanted splits, in the card's order.

    Raises:
        NotFound, NetworkError: The source cannot be reached.
        GateError: It is behind a gate, or has to be got by hand.
    """
    if source.synthetic is not None:
        return [_synthetic(source, splits)]
    if source.manual is not None:
        raise by_hand(card, source)
    units: list[FileSet] = []
    lacking: dict[str, NotFound] = {}
    for group in groups(source.named_files, splits, configs):
        try:
            units.append(_unit(source, group, access))
        except NotFound as error:
            if access.asked or access.mirror is None or not access.mirror.subset:
                raise
            lacking["/".join(filter(None, [group.config, ", ".join(group.splits)]))] = error
    if lacking and not units:
        raise next(iter(lacking.values()))
    if lacking:
        access.notice(f"the mirror holds a subset; passed over: {', '.join(lacking)}")
    return units


def by_hand(card: Card, source: SourceCard) -> GateError:
    """What to get and where to put it, for a corpus that nobody may download by itself."""
    gate = card.gate_of(source)
    said = f"{card.name} cannot be downloaded by a program. What to get: {(source.manual or '').rstrip('.')}."
    if gate is not None:
        said += f" What it takes: {gate.accept} ({gate.where})."
    if card.layout:
        said += f" Its layout: {card.layout}."
    return GateError(said, hint=f"get it, then: triptych catalog pull {card.name} --from PATH")


def _unit(source: SourceCard, group: Group, access: Access) -> FileSet:
    parts = parts_of(source, group, access)
    if access.mirror is not None and access.mirror.subset and not access.asked:
        for url in (url for part in parts for url in part.urls):
            if not access.mirror.has(url):
                raise NotFound(f"the mirror {access.mirror.name} has no {url}.",
                               hint="copy it there, or choose another --source")  # fmt: skip
    split = group.splits[0] if len(group.splits) == 1 else None
    handling = Handling(split, group.config, tuple(source.nested), lambda: password_of(source))
    opening = Opening(parts, handling, access)
    fingerprint, size = fingerprint_of(parts, access)
    archives = [part for part in parts if is_archive(part.name)]
    first = parts[0].urls[0] if len(parts) == 1 else f"{(archives or parts)[0].urls[0]} and {len(parts) - 1} more"
    place = first if source.hub is None else _hub_place(source, group, access)
    return FileSet(
        group.splits,
        place,
        opening.files,
        fingerprint,
        config=group.config,
        urls=tuple(url for part in parts for url in part.urls),
        bytes=size,
        local=size is not None,
        seekable=all(SEEKABLE.search(part.name) for part in archives),
        prepare=opening.prepare,
        spent=opening.spent,
    )


def _hub_place(source: SourceCard, group: Group, access: Access) -> str:
    shown = ", ".join(file.name or file.paths[0] for file in group.files[:3]) + (" ..." if len(group.files) > 3 else "")
    host = f"{access.mirror.name}: " if access.mirror is not None else "hub:"
    revision = access.revisions.get(str(source.hub)) or str(source.revision)
    return f"{host}{source.hub}@{revision[:12]}/{shown}"


def _synthetic(source: SourceCard, splits: Sequence[str]) -> FileSet:
    languages = tuple(source.languages) or LANGUAGES
    made = SyntheticSource(kind=str(source.synthetic), seed=source.seed, count=source.count, languages=languages)
    wanted = frozenset(splits)
    return FileSet(
        tuple(splits),
        f"synthetic:{source.synthetic}?seed={source.seed}",
        lambda accepts: made.files(wants=lambda split: split in wanted),
        f"{made.revision}:{source.count}",
        local=True,
    )
