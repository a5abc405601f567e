"""Every error streamgauge raises on purpose.

StreamgaugeError
├── ConfigError          the configuration cannot be used: where, what, what is accepted
├── PayloadError         what a sender gave cannot be read
├── LimitExceeded        a stated limit was passed
├── Overloaded           try again later (503 with Retry-After)
├── NotFound             nothing by that name
├── StoreError           the engine, or the disk below it, refused
└── NotifyError          a notification was not taken

Data stands in attributes, the text is for people: what is wrong, where, what to do.
"""

from __future__ import annotations


class StreamgaugeError(Exception):
    """The root; catch it where a message for people is printed."""


class ConfigError(StreamgaugeError):
    """The configuration cannot be used."""


class PayloadError(StreamgaugeError):
    """A sender's body cannot be read as a whole (bad lines are answers, not errors)."""


class LimitExceeded(StreamgaugeError):
    """A stated limit was passed."""

    def __init__(self, limit_name: str, actual: float, limit: float) -> None:
        super().__init__(f"{limit_name}: {actual:g}, limit {limit:g}")
        self.limit_name, self.actual, self.limit = limit_name, actual, limit


class Overloaded(StreamgaugeError):
    """Nothing more can be taken now; nothing of this request was kept."""

    def __init__(self, reason: str, retry_after_s: int) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class NotFound(StreamgaugeError):
    """Nothing goes by that name."""


class StoreError(StreamgaugeError):
    """The engine, or the disk below it, refused; `permanent` says whether a retry can help."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class NotifyError(StreamgaugeError):
    """A notification was not taken; `permanent` means that trying again cannot help."""

    def __init__(
        self, message: str, *, permanent: bool, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.permanent, self.retry_after_s = permanent, retry_after_s
