"""A chart of lines over steps, or over any numbers, as SVG: as many points as it has pixels, however many values.

Of many values in one pixel column the mean is the line, and a band reaches from the lowest to the highest of them: a
spike stays a spike. A value that is no number is a gap, and is counted. The chart's label tells first, last, lowest and
highest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH, HEIGHT = 520, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 30, 10, 26
_LOGARITHMIC_FROM = 20.0
"""How many times the median the highest value must be for a logarithmic scale."""

COLOURS = 6

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its points, by step."""

    name: str
    points: Points
    has_dots: bool = False


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines on one scale.

    Attributes:
        unit: `percent` for shares; else what the values are.
        note: What to know to read it.
        over_steps: Whether points are by whole numbers of steps; else by any number.
    """

    title: str
    series: Sequence[Series]
    unit: str = ""
    note: str = ""
    from_zero: bool = False
    over_steps: bool = True
    _scale: Scale = field(init=False, repr=False)

    def __post_init__(self) -> None:
        values = [value for each in self.series for _, value in each.points if math.isfinite(value)]
        steps = [step for each in self.series for step, _ in each.points]
        object.__setattr__(self, "_scale", Scale.of(values, steps, from_zero=self.from_zero))

    @property
    def is_empty(self) -> bool:
        return not any(math.isfinite(value) for each in self.series for _, value in each.points)

    @property
    def not_numbers(self) -> int:
        """Values that are not drawn."""
        return sum(not math.isfinite(value) for each in self.series for _, value in each.points)

    @property
    def is_logarithmic(self) -> bool:
        return self._scale.is_logarithmic

    @property
    def label(self) -> str:
        """What it shows, in words."""
        return "; ".join(f"{each.name}: {self._told(each)}" for each in self.series)

    def _told(self, series: Series) -> str:
        values = [value for _, value in series.points if math.isfinite(value)]
        if not values:
            return "no values"
        first, last, low, high = (self.value(each) for each in (values[0], values[-1], min(values), max(values)))
        return f"{first} to {last}, lowest {low}, highest {high}"

    def value(self, value: float) -> str:
        """A value as it is read."""
        return (
            f"{100 * value:.3g} %" if self.unit == "percent" else f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
        )

    def legend(self) -> list[tuple[int, str, str]]:
        """Number of its colour, name and last value of each line."""
        found = []
        for number, each in enumerate(self.series):
            values = [value for _, value in each.points if math.isfinite(value)]
            found.append((number % COLOURS, each.name, self.value(values[-1]) if values else ""))
        return found

    def svg(self) -> Markup:
        """The chart."""
        from markupsafe import Markup

        scale = self._scale
        parts = [f'<svg class=lines viewBox="0 0 {WIDTH} {HEIGHT}" role=img aria-label="{escape(self.label)}">']
        for value in scale.ticks():
            y = f"{scale.y(value):.1f}"
            parts.append(f'<line class=grid x1={_LEFT} y1="{y}" x2={WIDTH - _RIGHT} y2="{y}"/>')
            parts.append(f'<text x={_LEFT - 7} y="{scale.y(value) + 4:.1f}" text-anchor=end>{self.value(value)}</text>')
        for step in scale.steps(are_whole=self.over_steps):
            told = f"{step:,.0f}" if self.over_steps else f"{step:.3g}"
            parts.append(f'<text x="{scale.x(step):.1f}" y={HEIGHT - 8} text-anchor=middle>{told}</text>')
        for number, each in enumerate(self.series):
            colour, stretches = f"s{number % COLOURS}", list(_stretches(each.points, scale))
            for kind, draw in (("band", _band), ("line", _line)):
                path = "".join(draw(stretch, scale) for stretch in stretches)
                parts.append(f'<path class="{kind} {colour}" d="{path}"/>' if path else "")
            if each.has_dots:
                dots = [(scale.x(step), scale.y(value)) for step, value in each.points if math.isfinite(value)]
                shape = f'<circle class="dot {colour}" cx="{{:.1f}}" cy="{{:.1f}}" r=3 />'
                parts += [shape.format(*dot) for dot in dots[:: math.ceil(len(dots) / WIDTH) or 1]]
        return Markup("".join(parts) + "</svg>")


@dataclass(frozen=True, slots=True)
class Scale:
    """Where values and steps are in a chart."""

    low: float
    high: float
    first: float
    last: float
    is_logarithmic: bool

    @classmethod
    def of(cls, values: Sequence[float], steps: Sequence[float], *, from_zero: bool) -> Scale:
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        logarithmic = low > 0 and high > _LOGARITHMIC_FROM * median(values)
        if not logarithmic:
            low = min(0.0, low) if from_zero else low
            margin = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
            low, high = (low if from_zero and low == 0 else low - margin), high + margin
        first, last = (min(steps), max(steps)) if steps else (0.0, 1.0)
        return cls(low, high, first, last if last > first else first + 1, logarithmic)

    def x(self, step: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (step - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        low, high, at = self.low, self.high, value
        if self.is_logarithmic:
            low, high, at = math.log(low), math.log(high), math.log(value)
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (at - low) / (high - low)

    def ticks(self) -> list[float]:
        """Four to six round values."""
        if self.is_logarithmic:
            powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            return [10.0**power for power in powers][:: max(1, len(powers) // 5)]
        return _round_values(self.low, self.high, 5)

    def steps(self, *, are_whole: bool) -> list[float]:
        return [step for step in _round_values(self.first, self.last, 6) if not are_whole or step == int(step)]


def _round_values(low: float, high: float, count: int) -> list[float]:
    size = (high - low) / count
    power = 10.0 ** math.floor(math.log10(size))
    unit = next(each * power for each in (1, 2, 5, 10) if each * power >= size)
    first = math.ceil(low / unit - 1e-9)
    return [unit * number for number in range(first, math.floor(high / unit + 1e-9) + 1)]


@dataclass(frozen=True, slots=True)
class Column:
    """What one pixel column shows of a line: the mean of its values, and the lowest and highest."""

    x: float
    mean: float
    low: float
    high: float


def _stretches(points: Points, scale: Scale) -> Iterator[list[Column]]:
    """The parts of a line; a value that is no number ends one."""
    for is_number, part in groupby(points, key=lambda point: math.isfinite(point[1])):
        if is_number:
            places = ((scale.x(step), value) for step, value in part)
            yield [_column(list(column)) for _, column in groupby(places, key=lambda place: int(place[0]))]


def _column(places: Sequence[tuple[float, float]]) -> Column:
    values = [value for _, value in places]
    return Column(places[0][0], sum(values) / len(values), min(values), max(values))


def _line(stretch: Sequence[Column], scale: Scale) -> str:
    if len(stretch) == 1:  # a point is a short stroke
        [column] = stretch
        return f"M{column.x - 1:.1f} {scale.y(column.mean):.1f}h2"
    return "M" + "L".join(f"{each.x:.1f} {scale.y(each.mean):.1f}" for each in stretch)


def _band(stretch: Sequence[Column], scale: Scale) -> str:
    """From the lowest to the highest values; empty where each column has one value."""
    if all(each.low == each.high for each in stretch):
        return ""
    top = [f"{each.x:.1f} {scale.y(each.high):.1f}" for each in stretch]
    bottom = [f"{each.x:.1f} {scale.y(each.low):.1f}" for each in reversed(stretch)]
    return "M" + "L".join([*top, *bottom]) + "Z"
