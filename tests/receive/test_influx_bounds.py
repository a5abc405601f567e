"""Large and hostile bodies: cut into parts, forgotten series, caches that stay bounded."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from streamgauge.model.batch import Parsed
from streamgauge.receive.influx import parse
from streamgauge.receive.influx.book import Book, Shelf, compact, distinct
from streamgauge.receive.influx.parts import PART_BYTES
from streamgauge.receive.influx.series import SeriesKind

MAX = 2000


def parsed(body: bytes) -> Parsed:
    return parse(body, precision="ns", db="d", received_at_ns=10**18)


def test_a_body_of_several_parts_is_one_result() -> None:
    short, broken = b"messages,tenant=%d count=1i 5\n", b'm f="a\nb" 5\n'
    count = PART_BYTES // len(short % 1)
    block = b"".join(short % (n % 10) for n in range(count)) + broken
    ours = parsed(block + b"bare\n" + block + short % 11)
    assert (ours.line_count, ours.rejected_count) == (2 * count + 4, 1)
    assert ours.rejected[0].line_number == count + 3
    assert ours.batch.messages.num_rows == 2 * count + 1
    tenants = ours.batch.messages["tenant"]
    assert sorted(set(tenants.to_pylist())) == sorted({str(n) for n in range(10)} | {"11"})
    assert tenants.num_chunks == 1
    assert ours.batch.points["text"].to_pylist() == ["a\nb"] * 2


def test_bad_utf8_in_a_later_part_is_told_by_its_line() -> None:
    line = b"m f=1 5\n"
    count = PART_BYTES // len(line) + 5
    ours = parsed(line * count + b"m,t=\xff f=1 5\n" + line)
    assert (ours.rejected_count, ours.rejected[0].line_number) == (1, count + 1)
    assert ours.batch.points.num_rows == count + 1


def test_only_the_first_hundred_are_told_and_all_are_counted() -> None:
    ours = parsed(b"bare\n" * 150 + b"messages,tenant=a count=-1 5\n" * 20)
    assert (ours.rejected_count, len(ours.rejected)) == (170, 100)
    assert ours.rejected_by == {("syntax", "default"): 150, ("count", "a"): 20}


def test_a_line_with_many_distinct_fields_is_read() -> None:
    body = b"m " + b",".join(b"f%d=1" % n for n in range(50_000)) + b" 5"
    assert parsed(body).batch.points.num_rows == 50_000


def test_a_full_shelf_is_followed_by_one_with_the_series_used_last() -> None:
    shelf = Shelf(MAX)
    old = pa.array([f"m,id={n}" for n in range(MAX)])
    steady = pa.array([f"messages,tenant=t{n},zone=z" for n in range(50)])
    shelf.find(old)
    shelf.find(steady)
    assert shelf.is_full()
    half = shelf.half()
    assert MAX // 2 - 1 <= half.series_count <= MAX // 2
    before = half.series_count
    rows = half.find(steady)
    assert half.series_count == before
    words = half.words(SeriesKind.MESSAGES, 0)
    assert [words[code] for code in half.codes(rows, 0)] == [f"t{n}" for n in range(50)]


def test_the_book_goes_on_with_a_new_shelf_when_it_is_full() -> None:
    book = Book(MAX)
    first = book.shelf()
    assert book.shelf() is first
    first.find(pa.array([f"m,id={n}" for n in range(MAX + 1)]))
    assert book.shelf() is first
    book.wait_for_renewal()
    assert book.shelf() is not first


def test_compact_keeps_only_the_words_that_occur() -> None:
    words = [f"w{n}" for n in range(3000)]
    few = np.array([2999, 5, 2999], np.int32)
    codes, used = compact(few, words)
    assert [used[code] for code in codes] == ["w2999", "w5", "w2999"]
    assert len(used) == 2
    many = np.arange(3000, dtype=np.int32)[::-1].copy()
    codes, used = compact(many, words)
    assert [used[code] for code in codes] == words[::-1]


def test_distinct_rows() -> None:
    rows = np.array([7, 3, 7, 0], np.int32)
    codes, series = distinct(rows)
    assert series[codes].tolist() == rows.tolist()
    assert series.tolist() == [0, 3, 7]


def test_a_full_shelf_serves_on_while_its_successor_is_made() -> None:
    book = Book(max_series=1)
    full = book.shelf()
    full.find(pa.array(["a,tenant=a", "a,tenant=b"]))
    assert full.is_full()
    with full._lock:  # which holds up the one that makes the next
        assert book.shelf() is full
        assert book.shelf() is full
    book.wait_for_renewal()
    assert book.shelf() is not full
    assert book.shelf().series_count <= 1
