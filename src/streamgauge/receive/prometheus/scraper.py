"""Scrapes one target for as long as the process runs, whatever the target does.

A scrape is: ask, within a time limit → read the text in a thread → keep. A target that fails is
`up = 0`, and its series have ended: what they said is no longer known. Nothing of that touches
another target; each has a phase of its own within `every`, so that not all are asked at once.
"""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import replace
from functools import partial

import numpy as np
import structlog

from streamgauge.model.errors import Overloaded, PayloadError, StoreError
from streamgauge.model.gatherer import Fault
from streamgauge.receive.collectors.faults import CollectorFault, explain, hangs
from streamgauge.receive.collectors.health import Pulse
from streamgauge.receive.collectors.runner import within
from streamgauge.receive.intake import Origin
from streamgauge.receive.meaning.metering import Metering
from streamgauge.receive.measured import Form, Measured, Numbers, Series
from streamgauge.receive.prometheus.exposition import Known, Shown, read_exposition
from streamgauge.receive.prometheus.refusing import Refusals, without_bad_stamps
from streamgauge.receive.prometheus.target import Target, TargetSettings

log = structlog.get_logger()

READERS = 2
"""Scrapes that are read or kept at the same time."""


def next_scrape(now: float, every_s: float, target: str) -> float:
    """When a target is due: at the same phase of every interval, also after a restart.

    Args:
        now: epoch seconds.
        every_s: between two scrapes.
        target: its URL, which says the phase.
    """
    phase_s = zlib.crc32(target.encode()) / 2**32 * every_s
    return (now - phase_s) // every_s * every_s + every_s + phase_s


class Scraper:
    """A gatherer: `app.gathering` runs it."""

    def __init__(
        self,
        settings: TargetSettings,
        metering: Metering,
        pulse: Pulse,
        turns: asyncio.Semaphore | None = None,
    ) -> None:
        """Nothing is connected before `run`.

        Args:
            settings: of the target.
            metering: keeps what is read; the clock of its gates stamps it.
            pulse: is told how each scrape went.
            turns: shared by all scrapers: so many of them read or keep at once, in threads that
                others need too.
        """
        self._turns = turns or asyncio.Semaphore(READERS)
        self.name = pulse.health.name
        self._settings, self._metering, self._pulse = settings, metering, pulse
        self._clock = metering.intake.gates.clock
        self._target = Target(settings)
        self._labels = settings.all_labels
        self._up = Series("up", tuple(sorted(self._labels.items())), Form.GAUGE)
        self._known: Known = {}
        self._is_baseline = False

    @property
    def pulse(self) -> Pulse:
        """How it is doing."""
        return self._pulse

    def take_over(self) -> None:
        """Another process scraped meanwhile, and counted what counters rose by until then."""
        self._is_baseline, self._known = True, {}

    async def run(self, stop: asyncio.Event) -> None:
        """Scrape until `stop`."""
        scraping = asyncio.create_task(self._for_ever(), name=f"scrape {self.name}")
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({scraping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            scraping.cancel()
            stopping.cancel()
            await asyncio.wait({scraping, stopping})
            await self._target.close()

    async def _for_ever(self) -> None:
        settings = self._settings
        while True:
            now = self._clock.now()
            due = next_scrape(now, settings.every_s, settings.address.shown)
            await asyncio.sleep(due - now)
            await self.scrape()

    async def scrape(self) -> None:
        """Once; whatever fails ends in the health."""
        settings, where = self._settings, self._settings.address.where
        before = self._pulse.health
        at_ns = int(self._clock.now() * 1e9)
        try:
            late = hangs(where, settings.timeout_s)
            text, kind = await within(self._target.fetch(), settings.timeout_s, late)
            async with self._turns:
                await asyncio.to_thread(self._take, text, kind, at_ns)
        except (Overloaded, StoreError) as error:
            self._metering.intake.count_failure(error)
            self._pulse.failed(Fault.OURS, f"what was scraped could not be kept: {error}")
        except Exception as error:  # one catch a turn: the next one tries again
            fault = _fault(error, settings.address.shown, where)
            self._pulse.failed(fault.fault, settings.address.scrub(str(fault)))
            await self._fail(at_ns)
        else:
            self._pulse.succeeded()
        self._tell(before.last_error if before.failed_in_a_row else "")

    def _take(self, text: str, kind: str, at_ns: int) -> None:
        """Read and keep. Blocks: in a thread."""
        shown = read_exposition(text, kind, at_ns, self._labels, self._known)
        refusals = Refusals()
        received_at_ns = int(self._clock.now() * 1e9)
        good = without_bad_stamps(shown.numbers, received_at_ns, refusals)
        self._keep(replace(shown, numbers=good), at_ns, text.encode(), refusals, is_up=True)

    async def _fail(self, at_ns: int) -> None:
        """The target is down: nothing that it would have said is known."""
        keep = partial(self._keep, Shown(Numbers()), at_ns, b"", Refusals(), is_up=False)
        try:
            await self._target.close()
            async with self._turns:
                await asyncio.to_thread(keep)
        except (Overloaded, StoreError) as error:
            self._metering.intake.count_failure(error)
        except Exception as error:  # the next scrape must come whatever this one met
            why = f"{type(error).__name__}: {error}"
            log.error("`up` could not be kept", target=self.name, reason=why)  # noqa: TRY400

    def _keep(
        self, shown: Shown, at_ns: int, body: bytes, refusals: Refusals, *, is_up: bool
    ) -> None:
        gone = [series for key, series in self._known.items() if key not in shown.known]
        measured = Measured(with_up(shown.numbers, self._up, gone, at_ns, is_up=is_up))
        origin = Origin(
            f"scrape:{self.name}",
            idempotency_key=f"{self._settings.address.shown} {at_ns}",
            is_answered=False,
            is_collected=True,
        )
        self._metering.take(
            origin,
            body,
            measured,
            db=self._settings.db,
            rejected=refusals.told,
            rejected_count=refusals.count,
            is_baseline=self._is_baseline,
        )
        self._known, self._is_baseline = shown.known, self._is_baseline and not is_up

    def _tell(self, error_before: str) -> None:
        """Say in the log what changed, not every failure."""
        health = self._pulse.health
        error = health.last_error if health.failed_in_a_row else ""
        if error and error != error_before:
            log.warning("a target cannot be scraped", target=self.name, reason=error)
        elif error_before and not error:
            log.info("a target is scraped again", target=self.name)


def with_up(
    numbers: Numbers, up: Series, gone: list[Series], at_ns: int, *, is_up: bool
) -> Numbers:
    """The numbers of a scrape, with whether it went well, and with the series that it misses.

    Args:
        numbers: of the scrape.
        up: the series that says whether the target is up.
        gone: those that the scrape before had and this one has not.
        at_ns: when it was.
        is_up: whether it went well.
    """
    count = len(numbers.series)
    return replace(
        numbers,
        series=[*numbers.series, up, *gone],
        of=np.append(numbers.of, np.int32(count)),
        time_ns=np.append(numbers.time_ns, at_ns),
        start_ns=np.append(numbers.start_ns, 0),
        value=np.append(numbers.value, float(is_up)),
        ended=np.arange(count + 1, count + 1 + len(gone), dtype=np.int32),
        ended_ns=np.full(len(gone), at_ns, np.int64),
    )


def _fault(error: Exception, shown: str, where: str) -> CollectorFault:
    if isinstance(error, PayloadError):
        return CollectorFault(Fault.ANSWER, f"{shown}: {error}")
    if isinstance(error, UnicodeDecodeError):
        return CollectorFault(Fault.ANSWER, f"{shown}: what it shows is not UTF-8 text")
    return explain(error, where)
