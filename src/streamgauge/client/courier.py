"""The two threads behind a gauge: one closes the intervals, one sends.

They are apart so that a server that hangs never holds up the counting: what an interval counted is
in the spool, if there is one, as soon as the interval is over.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from streamgauge.client.batch import Batch
from streamgauge.client.losses import Loss, Losses
from streamgauge.client.transport import Answer, Transport, Verdict
from streamgauge.client.waiting import Claim, Waiting

FOLD_EVERY_S = 1.0
FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 0.5, 30.0


class Courier:
    """Runs from `start` to `stop`.

    Args:
        fold: sums up what was called; asked every second.
        close: the batches of the interval that ends at the given instant, epoch seconds.
        waiting: where batches wait.
        transport: sends one.
        interval_s: intervals end at whole multiples of it.
        losses: told what went wrong.
    """

    def __init__(
        self,
        fold: Callable[[], None],
        close: Callable[[float], Iterable[Batch]],
        waiting: Waiting,
        transport: Transport,
        interval_s: float,
        losses: Losses,
    ) -> None:
        self._fold, self._close, self._interval_s = fold, close, interval_s
        self._waiting, self._transport, self._losses = waiting, transport, losses
        self.forget()

    def forget(self) -> None:
        """Begin anew, in a process that was forked: no thread came along."""
        self._starting, self._closing = threading.Lock(), threading.Lock()
        self._state = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._asked, self._done = 1, 0  # there may be something in the spool
        self._is_stopping = self._is_hurried = False
        self._dealt_with = 0
        """Batches that were taken or refused."""

    def start(self) -> None:
        """Start the threads, if they do not run."""
        if not self._starting.acquire(blocking=False):
            return  # somebody does just now, perhaps whom a signal interrupted to call us
        try:
            if self._threads or self._is_stopping:
                return
            for name, work in (("count", self._count), ("send", self._send)):
                thread = threading.Thread(target=work, name=f"streamgauge-{name}", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # no more threads, or the interpreter ends
                    self._losses.say("threads", f"nothing is sent: {error}")
                    return
                self._threads.append(thread)
        finally:
            self._starting.release()

    def flush(self, timeout_s: float) -> bool:
        """Close the interval now and send what waits; whether it was all dealt with in time."""
        if not self._threads or self._is_stopping:
            return not self._is_stopping
        self._end_interval(time.time())
        with self._state:
            wanted = self._asked
            self._is_hurried = True
            self._state.notify_all()
            return self._state.wait_for(lambda: self._done >= wanted, timeout_s)

    def stop(self, timeout_s: float) -> bool:
        """Flush and end the threads; whether all was dealt with in time."""
        if self._is_stopping:
            return True
        deadline = time.monotonic() + timeout_s
        is_sent = self.flush(timeout_s)
        with self._state:
            self._is_stopping = True
            self._state.notify_all()
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0.0))
        return is_sent

    def _count(self) -> None:
        due_at = self._next_end(time.time())
        while not self._pause(min(max(due_at - time.time(), 0.01), FOLD_EVERY_S)):
            with self._complaining():
                self._fold()
                now = time.time()
                if now >= due_at or now < due_at - 2 * self._interval_s:  # or a clock set back
                    at, due_at = min(now, due_at), self._next_end(now)
                    self._end_interval(at)

    def _next_end(self, now: float) -> float:
        return (now // self._interval_s + 1) * self._interval_s

    def _end_interval(self, at: float) -> None:
        with self._closing:
            for batch in self._close(at):
                self._waiting.put(batch)
        with self._state:
            self._asked += 1
            self._state.notify_all()

    def _send(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while True:
            with self._state:
                self._state.wait_for(lambda: self._is_stopping or self._asked > self._done)
                if self._is_stopping:
                    break
                asked, self._is_hurried = self._asked, False
            answer, before = Answer(Verdict.LATER), self._dealt_with
            with self._complaining():
                answer = self._drain()
            if self._dealt_with > before:
                backoff_s = FIRST_BACKOFF_S
            if answer.verdict is Verdict.TAKEN:
                with self._state:
                    self._done = asked
                    self._state.notify_all()
            else:
                self._wait_to_try_again(answer, backoff_s, asked)
                backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
        self._transport.close()

    def _drain(self) -> Answer:
        """Send what waits, in order, up to the first that has to be sent again.

        Where only a path is in trouble, what goes to other paths is sent all the same.
        """
        stuck: dict[str, Answer] = {}
        for claim in self._waiting.claims():
            if claim.batch.path in stuck:
                claim.release()
                continue
            answer = self._send_one(claim)
            if answer.verdict is Verdict.LATER:
                stuck[claim.batch.path] = answer
                if not answer.is_of_path:
                    break
        return next(iter(stuck.values()), Answer(Verdict.TAKEN))

    def _send_one(self, claim: Claim) -> Answer:
        try:
            answer = self._transport.post(claim.batch)
        except BaseException:
            claim.release()
            raise
        if answer.verdict is Verdict.LATER:
            claim.release()
            place = claim.batch.path.partition("?")[0]
            text = f"streamgauge does not take what goes to {place}, it waits: {answer.told}"
            self._losses.say(place, text)
            return answer
        if answer.verdict is Verdict.REFUSED:
            text = f"streamgauge refused what it was sent: {answer.told}"
            self._losses.add(Loss.REFUSED_MESSAGES, claim.batch.messages, text)
        claim.done()
        self._dealt_with += 1
        place = claim.batch.path.partition("?")[0]
        self._losses.forget(place, f"streamgauge takes what goes to {place} again")
        return answer

    def _wait_to_try_again(self, answer: Answer, backoff_s: float, asked: int) -> None:
        """What goes to other paths does not wait for the one that is in trouble."""
        wait_s = max(answer.retry_after_s, backoff_s * random.uniform(0.8, 1.2))  # noqa: S311

        def is_over() -> bool:
            has_other_work = answer.is_of_path and self._asked > asked
            return self._is_stopping or self._is_hurried or has_other_work

        with self._state:
            self._state.wait_for(is_over, wait_s)

    def _pause(self, seconds: float) -> bool:
        """Wait so long; True at once when it is time to stop."""
        with self._state:
            return self._state.wait_for(lambda: self._is_stopping, seconds)

    @contextlib.contextmanager
    def _complaining(self) -> Iterator[None]:
        """A thread goes on, whatever happens in one turn."""
        try:
            yield
        except Exception as error:
            self._losses.say("broken", f"the client failed: {error!r}")
