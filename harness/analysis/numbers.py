"""Numbers as text, one way for the command line, reports, pages and the dashboard.

Nothing to show is ``-``, and so is what is not defined (NaN: the precision of objects that a dataset does not have); what has no end is
``inf`` or ``-inf``, and zero has no sign.
"""

from __future__ import annotations

import math
from datetime import datetime

NOTHING = "-"

MEASURE = "diagnostic"
"""Stands for the unit of a diagnostic of the attention: nats, shares, distances and counts of keys in one table."""

RANK, SHARE = "rank", "share"
"""Stand for the units of mean ranks, and of shares and chances."""

_FORMS = {"%": ".1f", "m": ".3f", "°": ".2f", "deg": ".2f", "px": ".2f", MEASURE: ".3f", RANK: ".1f", SHARE: ".2f"}
_ANY = ".4g"


def _text(value: float | None, form: str) -> str:
    if value is None or math.isnan(value):
        return NOTHING
    return format(value, form) if math.isfinite(value) else str(float(value))


def digits(unit: str = "") -> str:
    """The format of :func:`number` as charts (d3) and table cells (sprintf) of a browser take it, without its sign."""
    return _FORMS.get(unit, _ANY)


def number(value: float | None, unit: str = "") -> str:
    """A value with the decimals its unit deserves; four significant digits for any other unit."""
    if unit == MEASURE and value is not None and abs(value) >= 100:
        unit = ""
    return _text(value, f"z{_FORMS.get(unit, _ANY)}")


def estimate(mean: float | None, ci95: tuple[float, float] | None, unit: str = "") -> str:
    """``mean ± half-width`` of the interval, or the mean alone where there is none."""
    return number(mean, unit) + ("" if ci95 is None else f" ± {number((ci95[1] - ci95[0]) / 2, unit)}")


def limits(ci95: tuple[float, float] | None, unit: str = "") -> str:
    """An interval of a value, with the decimals of its unit."""
    return NOTHING if ci95 is None else f"{number(ci95[0], unit)} to {number(ci95[1], unit)}"


def rank(ends: tuple[int, int] | None) -> str:
    """Where a method may stand."""
    return NOTHING if ends is None else "–".join(map(str, dict.fromkeys(ends)))


def significant(value: float, digits: int, unit: str = "") -> str:
    """With so many significant digits and never an exponent, and its unit behind: in sentences."""
    decimals = max(digits - 1 - math.floor(math.log10(value)), 0) if math.isfinite(value) and value > 0 else 0
    return f"{value:.{decimals}f} {unit}".strip()


def points(unit: str) -> str:
    """The unit of a difference in a sentence: ``by 3 %`` would be read as a share of the value."""
    return "points" if unit == "%" else unit


def change(value: float | None) -> str:
    """A difference, with its sign."""
    return _text(value, "+z.3g")


def signed(value: float | None, unit: str = "") -> str:
    """A value with its sign and the decimals of its unit."""
    return _text(value, f"+z{_FORMS.get(unit, _ANY)}")


def interval(ci95: tuple[float, float] | None) -> str:
    """An interval of a difference."""
    return NOTHING if ci95 is None else f"{change(ci95[0])} to {change(ci95[1])}"


def probability(p: float | None) -> str:
    """A p-value; ``<0.001`` where three digits would be zeros."""
    return "<0.001" if p is not None and p < 0.0005 else _text(p, ".3f")


def p_value(p: float) -> str:
    """The same in a sentence: ``p = 0.047``."""
    return f"p = {probability(p)}".replace("= <", "< ")


def scaled(value: float | None, scale: float, form: str) -> str:
    """A cost in multiples of ``scale`` (1e6: millions), written by the format ``form``."""
    return _text(None if value is None else value / scale, f"z{form}")


def duration(seconds: float) -> str:
    """``45 s``, ``3 min``, ``2.5 h`` or ``4 days``."""
    if seconds < 5400:
        return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} days"


def exact(value: float | None) -> str:
    """A recorded number whose unit is not at hand, with six significant digits."""
    return _text(value, "z.6g")


def moment(seconds: float | None) -> str:
    """A time (seconds since the epoch) by the clock of this machine, and its zone."""
    return NOTHING if seconds is None else datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
