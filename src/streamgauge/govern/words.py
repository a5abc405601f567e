"""Sizes, spans and shares as they stand in the governor's sentences."""

from __future__ import annotations

import math

_PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_SPANS = ((365 * 86_400.0, "y"), (86_400.0, "d"), (3600.0, "h"), (60.0, "min"))


def size_words(size_bytes: float) -> str:
    """`1.2 GB`, three digits, powers of 1000."""
    for scale, prefix in _PREFIXES:
        if abs(size_bytes) >= 0.9995 * scale:
            return f"{_three_digits(size_bytes / scale)} {prefix}B"
    return f"{size_bytes:.0f} B"


def span_words(seconds: float) -> str:
    """`3 d`, `1.5 h`, `for ever`: the largest unit of which there is one."""
    if math.isinf(seconds):
        return "for ever"
    for unit_s, unit in _SPANS:
        if seconds >= unit_s:
            value = seconds / unit_s
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}".replace(".0", "")
    return f"{max(seconds, 0):.0f} s"


def share_words(ratio: float) -> str:
    """`78 %`."""
    return f"{100 * ratio:.0f} %"


def count_words(value: float) -> str:
    """`12,345`, `1.2M`, three digits from 100,000."""
    if abs(value) < 100_000:
        return f"{value:,.0f}"
    scale, prefix = next((s, p) for s, p in _PREFIXES if abs(value) >= 0.9995 * s)
    return f"{_three_digits(value / scale)}{prefix}"


def _three_digits(value: float) -> str:
    text = f"{value:.{2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
