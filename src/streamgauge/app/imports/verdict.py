"""What an import came to, counted on both sides."""

from __future__ import annotations

from streamgauge.app.imports.progress import Tally

MAX_NAMED = 20


def faults(tally: Tally) -> list[str]:
    """What does not agree, in words; empty: everything is there, once."""
    told = []
    if not tally.read_values:
        told.append("nothing was found: look at --db, --match, --from and --to")
    if tally.read_values != tally.source_values:
        told.append(
            f"the source counts {tally.source_values:,} values, {tally.read_values:,} were read "
            "(written to meanwhile? end before that by --to)"
        )
    if tally.unreadable:
        told.append(f"{tally.unreadable:,} lines or values of the source cannot be read")
    if tally.refused_lines:
        told.append(f"{tally.refused_lines:,} lines were refused")
    told += [f"not compared: {reason}" for reason in tally.uncounted]
    if not tally.uncounted:
        told += _differences(tally)
    return told + [f"  {reason}" for reason in tally.reasons]


def _differences(tally: Tally) -> list[str]:
    told = []
    for name, expected in sorted(tally.expected.items()):
        stored = tally.stored.get(name, 0)
        if stored < expected:
            told.append(f"{name}: {expected:,} were sent, and the store has {stored:,} more")
        elif stored > expected:
            told.append(
                f"{name}: {expected:,} were sent, and the store has {stored:,} more: does anybody "
                "else write into the same days? (end before that by --to)"
            )
    return told[:MAX_NAMED]


def summary(tally: Tally) -> list[str]:
    """What was counted."""
    lines = [
        f"read: {tally.read_values:,} values (by the source's count {tally.source_values:,}), "
        f"{tally.overwritten:,} overwritten by later ones, {tally.unreadable:,} unreadable",
        f"sent: {tally.sent_lines:,} lines, {tally.accepted_lines:,} accepted, "
        f"{tally.refused_lines:,} refused",
    ]
    names = sorted(tally.expected)
    for name in names[:MAX_NAMED]:
        stored = tally.stored.get(name)
        shown = "unknown" if stored is None else f"{stored:,}"
        what = "messages counted" if name == "messages" else "numbers"
        lines.append(f"stored: {name}: {shown} of {tally.expected[name]:,} {what}")
    if len(names) > MAX_NAMED:
        lines.append(f"… and {len(names) - MAX_NAMED} measurements more")
    return lines
