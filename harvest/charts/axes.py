"""Axes: map values to positions, and choose round numbers as ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_ROUND = (1, 2, 5, 10)
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_DECADES = 2  # an axis of no more powers of ten has ticks between them


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from `low` to `high` with its ticks; `text` formats a value."""

    low: float
    high: float
    ticks: tuple[float, ...]
    text: Callable[[float], str]
    is_log: bool = False

    def percent(self, value: float) -> float:
        """Return the position of a value in percent of the axis.

        >>> linear([0, 10]).percent(2.5)
        25.0
        """
        low, high, position = (math.log(v) if self.is_log else v for v in (self.low, self.high, value))
        return round(100 * (position - low) / (high - low), 2) if high > low else 50.0


def number(value: float) -> str:
    """Format a number with three significant digits, as short as possible.

    >>> number(0.25), number(12), number(0.00012)
    ('0.25', '12', '1.2e-4')
    """
    if value and (abs(value) < 1e-3 or abs(value) >= 1e5):  # noqa: PLR2004
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"  # noqa: PLR2004


def power(value: float) -> str:
    """Format a power of ten with an exponent, and any other value as a number.

    >>> power(1e-4), power(0.0005)
    ('10⁻⁴', '5e-4')
    """
    exponent = round(math.log10(value))
    if not math.isclose(value, 10.0**exponent):
        return number(value)
    return "10" + str(exponent).translate(_RAISED)


def finite(values: Iterable[float]) -> list[float]:
    """Return the finite values: a loss that diverged must not define an axis."""
    return [value for value in values if math.isfinite(value)]


def linear(
    values: Iterable[float],
    *,
    text: Callable[[float], str] = number,
    ticks: int = 4,
    finest: float = 0.0,
    least: float | None = None,
    most: float | None = None,
) -> Axis:
    """Return an axis that includes all values and ends on ticks, at least `finest` apart.

    It does not extend beyond `least` and `most`.

    >>> linear([0.13, 0.87]).ticks
    (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """
    known = finite(values) or [0.0, 1.0]
    low, high = min(known), max(known)
    if low == high:
        room = abs(low) / 2 or 0.5
        low, high = low - room, high + room
    step = max(_step((high - low) / ticks), finest)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    positions = [round(i * step, 12) for i in range(first, last + 1)]
    if least is not None:
        positions = [max(position, least) for position in positions]
    if most is not None:
        positions = [min(position, most) for position in positions]
    positions = sorted(set(positions))
    return Axis(positions[0], positions[-1], tuple(positions), text)


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(each * power for each in _ROUND if each * power >= rough * 0.999)


def whole(values: Iterable[float], *, ticks: int = 8) -> Axis:
    """Return an axis for integers: its ticks are whole numbers, and it ends on the last value.

    >>> whole([0, 1, 2, 3]).ticks, whole(range(41)).ticks
    ((0, 1, 2, 3), (0, 5, 10, 15, 20, 25, 30, 35, 40))
    """
    known = finite(values) or [0.0]
    low, high = math.floor(min(known)), math.ceil(max(known))
    step = max(1, math.ceil(_step(max(1.0, (high - low) / ticks))))
    return Axis(low, high, tuple(range(-(-low // step) * step, high + 1, step)), "{:.0f}".format)


def logarithmic(
    values: Iterable[float], *, text: Callable[[float], str] = number, ticks: tuple[float, ...] = ()
) -> Axis:
    """Return a logarithmic axis; ticks are powers of ten unless they are given.

    >>> logarithmic([1e-6, 1e-3]).ticks
    (1e-06, 1e-05, 0.0001, 0.001)
    """
    known = [value for value in finite(values) if value > 0] or [1.0]
    low, high = min(known), max(known)
    if not ticks:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        steps = (1,) if last - first > _DECADES else (1, 2, 5)
        candidates = [each * 10.0**power for power in range(first, last + 1) for each in steps]
        ticks = tuple(tick for tick in candidates if low * 0.999 <= tick <= high * 1.001)
    return Axis(low, high, ticks, text, is_log=True)
