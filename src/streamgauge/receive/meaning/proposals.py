"""A `[[map]]` to begin with, guessed from the words of a name and of its labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

_TARGETS = (
    (r"oldest|age\b|_age", "queue.oldest_age"),
    (r"consumers?\b|subscribers?", "queue.consumers"),
    (r"unack|in_?flight|outstanding", "queue.in_flight"),
    (
        r"backlog|depth|lag|pending|ready|waiting|queued?_?(?:size|length|messages)?$",
        "queue.backlog",
    ),
    (r"wait|queue_time", "message.queue_time"),
    (r"latency|duration|_seconds|_ms\b", "message.latency"),
    (r"bytes|size", "message.bytes"),
)
_OUTCOMES = (
    (r"expired?", "expired"),
    (r"dropped?|discard", "dropped"),
    (r"filter", "filtered"),
    (r"retr(?:y|ied|ies)", "retried"),
    (r"fail|error|nack|dead_?letter|dlq|reject", "error"),
)
_STAGES = (
    (r"publish|enqueue|queued", "queued"),
    (r"received?|consum|ingest", "received"),
    (r"process", "processed"),
)
_TAGS = {
    "tenant": ("customer", "customer_id", "tenant_id", "account", "account_id", "org", "client"),
    "source": ("source_name", "app", "origin"),
    "integration": ("destination", "target", "sink", "endpoint", "destination_name", "vendor"),
    "pipeline": ("route", "flow", "topic", "stream"),
    "queue": ("queue_name", "topic", "stream", "subscription", "destination", "name"),
    "outcome": ("result", "status"),
}


def propose(name: str, labels: Iterable[str]) -> str:
    """TOML of a rule for a metric with labels of these names."""
    words = name.replace(".", "_").lower()
    target = _first(_TARGETS, words.removesuffix("_total")) or "messages"
    if words.endswith("_total") and target.startswith("queue."):
        target = "messages"
    is_queue = target.startswith("queue.")
    renamed = _renamed(set(labels), is_queue=is_queue)
    lines = ["[[map]]", f"metric = {json.dumps(name)}", f"to = {json.dumps(target)}"]
    if renamed:
        pairs = ", ".join(f"{_key(label)} = {json.dumps(tag)}" for label, tag in renamed.items())
        lines.append(f"rename = {{ {pairs} }}")
    tags = (
        {} if is_queue else {"stage": _first(_STAGES, words), "outcome": _first(_OUTCOMES, words)}
    )
    told = [f"{tag} = {json.dumps(word)}" for tag, word in tags.items() if word]
    if told:
        lines.append(f"set = {{ {', '.join(told)} }}")
    return "\n".join(lines)


def _first(table: Iterable[tuple[str, str]], words: str) -> str:
    return next((word for pattern, word in table if re.search(pattern, words)), "")


def _renamed(labels: set[str], *, is_queue: bool) -> dict[str, str]:
    wanted = (
        ("queue", "tenant", "pipeline") if is_queue else tuple(t for t in _TAGS if t != "queue")
    )
    found: dict[str, str] = {}
    for tag in wanted:
        if tag in labels:
            continue
        label = next((one for one in _TAGS[tag] if one in labels and one not in found), "")
        if label:
            found[label] = tag
    return found


def _key(label: str) -> str:
    return label if re.fullmatch(r"[A-Za-z0-9_-]+", label) else json.dumps(label)
