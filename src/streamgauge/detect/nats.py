"""Evidence of quiet in nats: how unlikely it would be if the row still spoke.

Source: survival of a gamma-mixed Poisson, Johnson, Kemp & Kotz, Univariate Discrete Distributions,
section 5.3.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Floats

_SURE_NATS = 4.6
"""A report comes 99 times of 100."""


def minute_nats_of(activity: Floats, rate: Floats, hours: Floats, bucket: Floats) -> Floats:
    """Nats [168, rows] of a minute without a message, from "was there one in this minute at all".

    The share of active minutes is never taken for surer than history allows (Jeffreys: half a miss
    in all of it), less if none was ever missed and minutes hold many messages each (geometric
    counts: 1/(1 + mean)).
    """
    buckets = 60.0 * hours / bucket
    seen = np.minimum(activity * bucket / 60.0, 1.0)
    share = seen * (buckets + 0.5) / (buckets + 1.0)
    dense = share > 0.99
    missed = (1.0 - seen) * buckets
    is_extra = dense & (bucket <= 1.0)
    nats = np.negative(np.log1p(-share))
    if is_extra.any():
        nats[is_extra] += np.log1p(rate[is_extra] / 60.0) / (1.0 + missed[is_extra])
    return np.asarray(nats / bucket)


def negative_binomial_nats(expected: Floats, dispersion: Floats) -> Floats:
    """-ln P(no event) when `expected` of them were: r·ln(1 + expected/r), r = 1/dispersion."""
    return np.asarray(np.log1p(expected * dispersion) / dispersion)


def silence_nats(
    expected: Floats,
    minute_nats: Floats,
    report_nats: Floats,
    dispersion: Floats,
    activity_dispersion: Floats,
) -> Floats:
    """Evidence of a stretch without a message: the weaker of the two tests.

    Args:
        expected: messages expected in it.
        minute_nats: evidence of its minutes without a message.
        report_nats: evidence of one report missing; where a report is all but sure, how many
            messages it would have held does not matter.
        dispersion: 1/r of messages an hour.
        activity_dispersion: 1/r of active minutes an hour.
    """
    minutes = negative_binomial_nats(minute_nats, activity_dispersion)
    counts = negative_binomial_nats(expected, dispersion)
    return np.where(report_nats >= _SURE_NATS, minutes, np.minimum(counts, minutes))


def peak_nats(
    active: Floats,
    exposure: Floats,
    rate: Floats,
    nats: Floats,
    bucket: Floats,
    dispersion: Floats,
    activity_dispersion: Floats,
) -> Floats:
    """The strongest evidence [rows] of a run of silent hours between two messages.

    Args:
        active: minutes with a message [weeks x 168, rows].
        exposure: seen part of each hour, in the same shape.
        rate: messages an hour [168, rows].
        nats: of a minute without a message, [168, rows].
        bucket: minutes [rows] in which a report is due; 0: it is no steady sender.
        dispersion: 1/r [rows] of messages an hour.
        activity_dispersion: 1/r [rows] of active minutes an hour.
    """
    speaks = active > 0.0
    # Most hours were seen as a whole, or not at all: they are all alike.
    whole = silence_nats(rate, 60.0 * nats, nats * bucket, dispersion, activity_dispersion)
    evidence = np.tile(whole, (len(active) // len(rate), 1))
    evidence[speaks | (exposure <= 0.0)] = 0.0
    hour, row = np.nonzero(~speaks & (exposure > 0.0) & (exposure < 1.0))
    place, part = hour % len(rate), exposure[hour, row]
    minute = nats[place, row]
    evidence[hour, row] = silence_nats(
        rate[place, row] * part,
        60.0 * minute * part,
        minute * bucket[row],
        dispersion[row],
        activity_dispersion[row],
    )
    total = np.cumsum(evidence, axis=0)
    since = total - np.maximum.accumulate(np.where(speaks, total, 0.0), axis=0)
    ended = speaks & (np.arange(len(total))[:, None] > 0)
    before = np.vstack([np.zeros_like(since[:1]), since[:-1]])
    return np.asarray(np.where(ended, before, 0.0).max(0))
