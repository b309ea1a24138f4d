"""Rows of CSV and TSV files.

Cells are quoted as in RFC 4180, if the table is quoted at all: many TSVs are not (Common Voice), and a lone quotation
mark in them is an ordinary character. A quoted cell may span several lines, but never lines that look like complete
rows, or that begin with a name like the row's own: in a TSV such lines are read as rows, in a CSV each is rejected with
its line number. A cell of a TSV that runs over line breaks and tabs all the same is rejected with its lines. So no cell
ever swallows other rows, and no row is lost.

`is_quoted_tsv` decides for a whole file whether it is quoted; a stream, which is read once, is decided line by line.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ....errors import UsageError
from ...candidate import Rejection
from .cells import Place, Row, Rows

CSV_FIELD_BYTES = 16 * 1024 * 1024
_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_SWALLOWED = "a quoted cell spans lines that look like complete rows (an unclosed quotation mark?)"


_RUN_OVER = "a quoted cell runs over line breaks and tabs (an unclosed quotation mark?)"
_NAME = re.compile(r"[^\s\"]*[\d.][^\s\"]*")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """The dialect of a table.

    Attributes:
        delimiter: The delimiter; of several, the first that is in the first line; None: guessed from the first line.
        quoted: Whether cells may be quoted; None: yes in a CSV, decided line by line in a TSV.
        header: The column names, if the file has no header line.
        comment: The prefix of comment lines.
        skip: Number of lines before the table.
        rest: The last column takes the rest of the line.
        strict: For a user's table: an invalid header is a UsageError, and NUL characters are not removed.
    """

    delimiter: str | tuple[str, ...] | None = None
    encoding: str = "utf-8-sig"
    quoted: bool | None = None
    escape: str | None = None
    header: tuple[str, ...] | None = None
    comment: str | None = None
    skip: int = 0
    skip_initial_space: bool = False
    rest: bool = False
    strict: bool = False


def read_csv(stream: BinaryIO, place: Place, options: CsvOptions) -> Rows:
    """The rows of a table in file order, with the line number at which each starts."""
    csv.field_size_limit(CSV_FIELD_BYTES)
    # Not closed here: the stream belongs to the caller, and closing the wrapper would close it.
    text = io.TextIOWrapper(stream, encoding=options.encoding, errors="surrogateescape", newline="")
    try:
        yield from _Table(text, place, options).rows()
    finally:
        text.detach()


class _Table:
    def __init__(self, text: Iterable[str], place: Place, options: CsvOptions) -> None:
        self.place = place
        self.options = options
        self.taken: list[str] = []
        self.number = 0
        self._text = iter(text)
        first = self._first_line()
        self.delimiter = _delimiter(options.delimiter, first)
        self.width = len(options.header or ())
        self._first = [first] if first else []

    def _first_line(self) -> str:
        return next(self._wanted(), "")

    def _wanted(self) -> Iterator[str]:
        """Lines that are not comments; `number` is that of the latest line, counted from 1."""
        options = self.options
        for line in self._text:
            self.number += 1
            if self.number > options.skip and not (options.comment and line.startswith(options.comment)):
                yield line if options.strict else line.replace("\0", "")

    def _lines(self) -> Iterator[str]:
        """Lines for the parser, collected in `taken` until the row is complete."""
        taken = self.taken
        for line in self._first:
            taken.append(line)
            yield line
        for line in self._wanted():
            taken.append(line)
            yield line

    def rows(self) -> Rows:
        options = self.options
        header = list(options.header) if options.header else None
        parser = self._parser(self._lines(), quoted=options.quoted is not False)
        taken, where = self.taken, f"{self.place.uri}:"
        start = max(self.number, 1)
        while True:
            try:
                cells = next(parser)
            except StopIteration:
                if header is None:
                    self._refuse("the file is empty: a CSV starts with a line of column names")
                return
            except csv.Error as error:
                if header is None:
                    self._refuse(f"line {start}: {error}")
                    header = []
                yield from self._one_by_one(header, start, str(error))
            else:
                if len(taken) > 1 and header is not None and self._is_swallowed(header):
                    yield from self._one_by_one(header, start, None)
                elif len(taken) > 1 and header is not None and self._is_run_over(cells):
                    yield self._bad(start, "bad_row", f"lines {start} to {self.number}: {_RUN_OVER}")
                elif not cells or cells == [""]:
                    pass
                elif header is None:
                    header = self._header(cells)
                elif len(cells) == len(header) and all(map(str.isascii, taken)):
                    yield Row(dict(zip(header, [cell or None for cell in cells], strict=True)), f"{where}{start}")
                else:
                    yield self._row(header, cells, start)
            taken.clear()
            start = self.number + 1

    def _parser(self, lines: Iterable[str], *, quoted: bool) -> Iterator[list[str]]:
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
            escapechar=self.options.escape,
            skipinitialspace=self.options.skip_initial_space,
            strict=quoted,
        )

    def _is_swallowed(self, header: list[str]) -> bool:
        """Whether a row of several lines holds other rows; never in a table of one column.

        Either each of its lines has the delimiters of a whole row, or a later line has enough of them and begins like
        the row itself: with a name of the same shape (`c1.wav`, `c2.wav`).
        """
        marks = len(header) - 1
        counts = [line.count(self.delimiter) for line in self.taken]
        if marks > 0 and all(count == marks or (self.options.rest and count > marks) for count in counts):
            return True
        own = _shape_of_name(self.taken[0].partition(self.delimiter)[0])
        return own is not None and any(
            count >= marks > 0 and _shape_of_name(line.partition(self.delimiter)[0]) == own
            for line, count in zip(self.taken[1:], counts[1:], strict=True)
        )

    def _is_run_over(self, cells: list[str]) -> bool:
        """Whether a cell of a TSV runs over line breaks and tabs; in a CSV that is what quotes are for."""
        return self.delimiter == "\t" and any("\t" in cell and "\n" in cell for cell in cells)

    def _one_by_one(self, header: list[str], start: int, error: str | None) -> Rows:
        """The lines inside a broken quote, one by one; `error` None: it is closed, but its lines look like rows."""
        literal = self.options.quoted is None and self.delimiter == "\t"
        for number, line in enumerate(list(self.taken), start):
            if not line.strip("\r\n"):
                continue
            if error is None and not literal:
                yield self._bad(number, "bad_row", _SWALLOWED)
                continue
            try:
                [cells] = self._parser([line], quoted=not literal)
            except (csv.Error, ValueError) as problem:
                yield self._bad(number, "bad_row", str(problem) or error or "")
            else:
                yield self._row(header, cells, number)

    def _row(self, header: list[str], cells: list[str], line: int) -> Row | Rejection:
        if self.options.rest and len(cells) > len(header):
            cells = [*cells[: len(header) - 1], self.delimiter.join(cells[len(header) - 1 :])]
        if len(cells) != len(header):
            return self._bad(line, "bad_row", f"{len(cells)} cells, but there are {len(header)} columns")
        for name, cell in zip(header, cells, strict=True):
            if _is_undecoded(cell):
                encoding = self.options.encoding.removesuffix("-sig")
                detail = f"column {name!r} is not valid {encoding}: {cell[:40]!a}; convert the file, e.g. with iconv"
                return self._bad(line, "not_utf8", detail)
        return Row({name: cell or None for name, cell in zip(header, cells, strict=True)}, f"{self.place.uri}:{line}")

    def _bad(self, line: int, reason: str, detail: str) -> Rejection:
        return self.place.rejection(line, reason, detail)

    def _header(self, cells: list[str]) -> list[str]:
        header = [name.strip() for name in cells]
        if header.count("") > 1:  # one keeps its empty name, as pandas writes its index
            header = [name or f"column {number}" for number, name in enumerate(header, 1)]
        path = self.place.uri
        if self.options.strict and any(_is_undecoded(name) for name in header):
            raise UsageError(f"{path}: line 1: not UTF-8.", hint=f"iconv -f UTF-16 -t UTF-8 {path} (or another -f)")
        doubled = sorted({name for name in header if name and header.count(name) > 1})
        if self.options.strict and doubled:
            raise UsageError(
                f"{path}: line 1: duplicate column name(s): {', '.join(doubled)}.",
                hint="line 1 must name the columns, each once; if it is a row, put one before it, such as: audio,text",
            )
        return header

    def _refuse(self, message: str) -> None:
        if self.options.strict:
            raise UsageError(f"{self.place.uri}: {message}.")


def _shape_of_name(cell: str) -> str | None:
    """An id or a path with its numbers replaced; None for anything else, such as words of a text."""
    return _DIGITS.sub("0", cell) if _NAME.fullmatch(cell) else None


def _is_undecoded(text: str) -> bool:
    return not text.isascii() and any("\udc80" <= letter <= "\udcff" for letter in text)


def guess_delimiter(first: str) -> str:
    """The most frequent delimiter in the header line."""
    return max(_DELIMITERS, key=lambda mark: (first.count(mark), mark == ","))


def _delimiter(given: str | tuple[str, ...] | None, first: str) -> str:
    if given is None:
        return guess_delimiter(first)
    if isinstance(given, str):
        return given
    return next((mark for mark in given if mark in first), given[-1])


def is_quoted_tsv(lines: Iterable[str]) -> bool | None:
    """Whether the cells of a TSV are quoted, judging by all lines; None if it must be decided row by row.

    A table is unquoted if all its lines are complete rows and either some cell starts with a quotation mark that is
    not closed on its line, or the quoted cells do not need quotes while other cells, including the header, have none.
    """
    width, odd, doubled, needless, bare = 0, False, False, False, False
    for line in lines:
        if not width:
            width = line.count("\t") + 1
            if line.startswith('"'):
                return True
        if line.count("\t") + 1 != width and line.strip("\r\n"):
            return None
        if '"' not in line:
            bare = True
            continue
        for cell in line.rstrip("\r\n").split("\t"):
            if cell.startswith('"'):
                whole = _QUOTED.fullmatch(cell) is not None and len(cell) > 1
                odd |= not whole
                doubled |= whole and '""' in cell[1:-1]
                needless |= whole and '"' not in cell[1:-1]
    if odd:
        return False
    return None if doubled or not needless or not bare else False
