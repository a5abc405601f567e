"""How the numbers of a Prometheus series are to be read: by its name, or by what metadata said.

Remote write 1.0 sends no types with its samples. Names decide by their customary endings until a
sender tells a family's type, which Prometheus does once a minute.

Source: https://prometheus.io/docs/practices/naming/ and OpenMetrics 1.0, "Suffixes".
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from streamgauge.receive.measured import Form

MAX_FAMILIES = 20_000
"""Families whose type is remembered; those beyond it are read by their names."""

COUNTING = ("_total", "_bucket", "_count", "_sum")
"""Endings of series that only grow."""
UNITS = {"seconds": "s", "milliseconds": "ms", "bytes": "By", "ratio": "1"}
"""OpenMetrics' words for units, and UCUM's."""

_FAMILY_ENDINGS = {
    "counter": {"": Form.CUMULATIVE, "_total": Form.CUMULATIVE},
    "histogram": {
        "": Form.CUMULATIVE,
        **dict.fromkeys(("_bucket", "_count", "_sum"), Form.CUMULATIVE),
    },
    "summary": {"": Form.GAUGE, **dict.fromkeys(("_count", "_sum"), Form.CUMULATIVE)},
    "gauge": {"": Form.GAUGE},
    "gaugehistogram": dict.fromkeys(("_bucket", "_gcount", "_gsum", ""), Form.GAUGE),
}
_BY_NUMBER = {1: "counter", 2: "gauge", 3: "histogram", 4: "gaugehistogram", 5: "summary"}
"""Source: prompb/types.proto, MetricMetadata.MetricType."""


@dataclass(frozen=True, slots=True)
class Family:
    """What metadata says of one."""

    kind: str
    unit: str = ""

    def form(self, ending: str) -> Form | None:
        """Of its series with that ending; None where such a family has none."""
        return _FAMILY_ENDINGS[self.kind].get(ending)

    def unit_of(self, ending: str) -> str:
        """Counts of values have none."""
        return "" if ending in {"_count", "_bucket", "_gcount"} else self.unit

    def is_as_named(self, name: str) -> bool:
        """Whether the names of its series say the same."""
        forms = _FAMILY_ENDINGS[self.kind].items()
        return not self.unit and all(form_by_name(name + end) is form for end, form in forms)


def family_of(kind: str, unit: str) -> Family | None:
    """Of a type and a unit as OpenMetrics writes them; None where the type says nothing."""
    return Family(kind, UNITS.get(unit, unit)) if kind in _FAMILY_ENDINGS else None


def form_by_name(name: str) -> Form:
    """Without any other knowledge."""
    return Form.CUMULATIVE if name.endswith(COUNTING) else Form.GAUGE


class Families:
    """Types that senders told; threads share it."""

    def __init__(self) -> None:
        self._by_name: dict[str, Family] = {}
        self._lock = threading.Lock()

    def learn(self, told: Iterable[tuple[str, int, str]]) -> bool:
        """Remember name, number of the type and unit.

        Returns:
            Whether any series is to be read differently from now on.
        """
        is_news = False
        with self._lock:
            for name, number, unit in told:
                kind = _BY_NUMBER.get(number)
                is_known = name in self._by_name
                if kind is None or not (is_known or len(self._by_name) < MAX_FAMILIES):
                    continue
                family = Family(kind, UNITS.get(unit, unit))
                if family != self._by_name.get(name):
                    self._by_name[name] = family
                    is_news |= is_known or not family.is_as_named(name)
        return is_news

    def form_and_unit(self, name: str) -> tuple[Form, str]:
        """Of a series by its full name."""
        base, underscore, ending = name.rpartition("_")
        for family_name, rest in ((name, ""), (base, underscore + ending)):
            family = self._by_name.get(family_name)
            form = family.form(rest) if family else None
            if family and form is not None:
                return form, family.unit_of(rest)
        return form_by_name(name), ""
