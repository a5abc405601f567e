"""Numbers of pairs, compared with a dictionary."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgauge.detect.levels import Level, Levels, Names
from streamgauge.detect.pair_numbers import PairNumbers
from streamgauge.model.flow import Flow, Scope

NUMBERS = st.one_of(st.integers(0, 40), st.integers(0, 2**31 - 1))
TEXTS = st.sampled_from(["", "a", "b", "c"])


@settings(max_examples=200, deadline=None)
@given(parts=st.lists(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1), max_size=6))
def test_pairs_get_numbers_in_the_order_they_are_first_seen(
    parts: list[list[tuple[int, int]]],
) -> None:
    known: dict[tuple[int, int], int] = {}
    pairs = PairNumbers()
    for part in parts:
        left, right = np.array(part, np.int64).T
        expected = [known.setdefault(pair, len(known)) for pair in part]
        assert pairs.number(left, right).tolist() == expected
        assert pairs.find(left, right).tolist() == expected
    assert pairs.count == len(known)
    every = np.array(list(known), np.int64).reshape(-1, 2)
    back = pairs.pairs(np.arange(pairs.count))
    assert np.array_equal(np.stack(back, axis=1), every)
    assert pairs.find(every[:, 0], every[:, 1] ^ 2**30).max(initial=-1) <= pairs.count - 1


def test_a_hundred_thousand_pairs_are_found_again() -> None:
    rng = np.random.default_rng(1)
    left, right = rng.integers(0, 2**31, (2, 100_000))
    pairs = PairNumbers()
    assert np.array_equal(pairs.number(left, right), np.arange(100_000))
    order = rng.permutation(100_000)
    assert np.array_equal(pairs.find(left[order], right[order]), order)
    assert (pairs.find(left, right + 1) < 0).sum() > 99_990
    assert pairs.nbytes <= 32 * 100_000


@settings(max_examples=100, deadline=None)
@given(flows=st.lists(st.builds(Flow, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS), min_size=1, max_size=30))
def test_what_has_a_number_is_found_by_its_names(flows: list[Flow]) -> None:
    levels = Levels()
    columns = zip(Flow._fields, map(pa.array, zip(*flows, strict=True)), strict=True)
    numbers = levels.locate(pa.table({name: c.dictionary_encode() for name, c in columns}))
    assert [levels.flows[number] for number in numbers] == flows
    for group, names in enumerate(levels.groups):
        assert levels.find(names) == group
        assert levels.primary(group) in levels.rows_of(group)
        below = levels.members.get(group)
        assert all(_is_below(levels.groups[one], names) for one in below)
    for scope in {Scope(*flow[:4]) for flow in flows} | {Scope(flows[0].tenant), Scope()}:
        within = [f for f in dict.fromkeys(flows) if _is_within(f, scope)]
        assert sorted(levels.flows[n] for n in levels.flows_within(scope)) == sorted(within)
    assert levels.find(Names(Level.TENANT, "nobody")) is None


def _is_below(names: Names, above: Names) -> bool:
    return _is_within(Flow(*(name or "" for name in names[1:])), above.scope)


def _is_within(flow: Flow, scope: Scope) -> bool:
    return all(wanted in {None, given} for wanted, given in zip(scope, flow[:4], strict=True))
