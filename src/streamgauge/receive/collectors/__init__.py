"""Collectors: one small module for each queue system, polled by one runner.

A module has `make(settings) -> Collector`; `build.MODULES` names it. The runner (`runner`) does the
rest for all of them: when to poll, time limits, what may be seen and under which names (`naming`),
the age of the oldest message where the broker does not tell it (`age`), columns (`rows`), and the
health (`health`). A library is imported only where its kind is configured.
"""
