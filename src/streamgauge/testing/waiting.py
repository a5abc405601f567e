"""Waits for something that happens elsewhere: polls with a deadline, never sleeps blindly."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(
    look: Callable[[], T], *, within_s: float, every_s: float = 0.1, what: str = "it"
) -> T:
    """The first truthy answer of `look`.

    Args:
        look: asked again and again; exceptions of it are not caught.
        within_s: deadline, seconds; `look` is asked at least once, also after a slow answer.
        every_s: pause between two looks, seconds.
        what: what is waited for, for the message.

    Raises:
        AssertionError: the deadline passed; says what was seen last.
    """
    deadline = time.monotonic() + within_s
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {within_s:g} s; last seen: {seen!r}")
        time.sleep(every_s)


def steadily(look: Callable[[], bool], *, for_s: float, every_s: float = 0.2, what: str) -> None:
    """Make sure that something stays as it is for a while.

    Args:
        look: must be true each time.
        for_s: how long, seconds.
        every_s: pause between two looks, seconds.
        what: what must hold, for the message.

    Raises:
        AssertionError: it did not hold at one look.
    """
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        if not look():
            raise AssertionError(f"{what} did not hold for {for_s:g} s")
        time.sleep(every_s)
