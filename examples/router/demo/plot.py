"""When what happens, and what should then be found."""

from __future__ import annotations

from dataclasses import dataclass

from examples.router.faults import FAILING, Script, demo_script
from examples.router.fleet import customers


@dataclass(frozen=True, slots=True)
class Plot:
    """Seconds, counted from the load's start."""

    silence_after_s: float
    silence_s: float
    """How long it lasts."""
    outage_after_s: float
    outage_s: float
    """How long it lasts."""
    silence_found_within_s: float = 140.0
    """Two of the minutes in which the history was reported have to pass without a message."""
    outage_found_within_s: float = 90.0
    closed_within_s: float = 120.0
    """It has to be closed that long after its fault ended."""

    @property
    def ends_after_s(self) -> float:
        """When the last fault is over."""
        return max(self.silence_after_s + self.silence_s, self.outage_after_s + self.outage_s)

    def script(self) -> Script:
        """The faults, on the demo's customers."""
        return demo_script(
            customers(),
            self.silence_after_s,
            self.silence_s,
            self.outage_after_s,
            self.outage_s,
        )

    @property
    def silent_tenant(self) -> str:
        """Who falls silent."""
        return self.script().silences[0].tenant

    @property
    def failing_integration(self) -> str:
        """What fails."""
        return FAILING

    @property
    def affected_tenants(self) -> tuple[str, ...]:
        """For whom it fails."""
        return self.script().outages[0].fault.tenants or ()

    def arguments(self) -> list[str]:
        """The same as arguments of `examples.router.load`."""
        return [
            *("--faults", "demo"),
            *("--silence-after", f"{self.silence_after_s:g}"),
            *("--outage-after", f"{self.outage_after_s:g}"),
            *("--silence", f"{self.silence_s:g}", "--outage", f"{self.outage_s:g}"),
        ]


SHOW = Plot(silence_after_s=30, silence_s=240, outage_after_s=60, outage_s=180)
CHECK = Plot(silence_after_s=10, silence_s=150, outage_after_s=20, outage_s=120)
