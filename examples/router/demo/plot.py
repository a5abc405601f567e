"""When what happens, and what should then be found."""

from __future__ import annotations

from dataclasses import dataclass

from examples.router.faults import FAILING, Script, demo_script
from examples.router.fleet import customers


@dataclass(frozen=True, slots=True)
class Plot:
    """Seconds, counted from the load's start."""

    silence_after_s: float
    outage_after_s: float
    duration_s: float
    """How long each of the two faults lasts."""
    found_within_s: float = 120.0
    """An incident has to be open that long after its fault began."""
    closed_within_s: float = 120.0
    """It has to be closed that long after its fault ended."""

    def script(self) -> Script:
        """The faults, on the demo's customers."""
        return demo_script(customers(), self.silence_after_s, self.outage_after_s, self.duration_s)

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
            *("--duration", f"{self.duration_s:g}"),
        ]


SHOW = Plot(silence_after_s=45, outage_after_s=75, duration_s=180)
CHECK = Plot(silence_after_s=15, outage_after_s=20, duration_s=130)
