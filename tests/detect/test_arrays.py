"""Arrays that grow: they keep what they hold, and nothing takes memory before it is written."""

import numpy as np
import pytest

from streamgauge.detect.arrays import grown
from streamgauge.testing.process import anonymous_bytes

ROWS, WIDTH = 100_000, 168


@pytest.mark.parametrize("fill", [0.0, -1.0], ids=["zeros", "another value"])
def test_grown_keeps_what_was_there(fill: float) -> None:
    array = np.full((10_000, 3), fill)
    array[[0, 4095, 4096, 9999]] = 7.5
    larger = grown(array, 10_001, fill)
    assert larger.shape == (20_000, 3)
    assert np.array_equal(larger[:10_000], array)
    assert (larger[10_000:] == fill).all()


def test_rows_of_which_nothing_is_known_take_no_memory() -> None:
    before = anonymous_bytes()
    array = np.zeros((64, WIDTH))
    array[5] = 1.0
    while len(array) < ROWS:
        array = grown(array, len(array) + 1, 0.0)
    assert array.nbytes > 100e6
    assert anonymous_bytes() - before < 40e6
    assert array[5].sum() == WIDTH
