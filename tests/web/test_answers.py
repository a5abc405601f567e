"""Questions to an engine that stands still leave threads for everyone else."""

from __future__ import annotations

import threading

import anyio

from streamgauge.web.answers import ASKED_AT_ONCE, ask_engine, in_thread


def test_questions_that_wait_hold_up_nobody_else() -> None:
    release = threading.Event()

    async def ask_everything() -> str:
        async with anyio.create_task_group() as tasks:
            for _ in range(3 * ASKED_AT_ONCE):
                tasks.start_soon(ask_engine, release.wait)
            await anyio.sleep(0)
            try:
                with anyio.fail_after(60):
                    return await in_thread(lambda: "ready")
            finally:
                release.set()

    assert anyio.run(ask_everything) == "ready"
