"""What a fit has used is given back when it ends."""

import gc
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.slow


def resident():
    """Bytes of this process that are in memory."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_hundred_fits_take_no_more_than_a_few(make, one_thread):
    """Each fit has 1.6 MB of samples; kept, those of a hundred would be 160."""
    X = np.random.default_rng(0).normal(size=(4_000, 100)).astype(np.float32)
    embedder = make(max_epochs=1, batch_size=2_000)
    for _ in range(10):
        embedder.fit(X)
    gc.collect()
    before = resident()
    for _ in range(100):
        embedder.fit(X)
    gc.collect()
    assert resident() - before < 40e6
