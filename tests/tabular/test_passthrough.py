"""The columns of a table next to the embedding: scaled numbers, marks of missing ones, one-hot categories."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_twins._tabular._passthrough import WIDEST, write_columns
from sklearn_twins.preprocessing import TablePreprocessor, TableSpec


def columns_of(samples, spec):
    out = np.full((len(samples), spec.n_inputs), np.nan, dtype=np.float32)
    write_columns(np.asarray(samples, dtype=np.float32), spec, out)
    return out


def test_columns_by_hand():
    spec = TableSpec(shape=(4,), missing=(1,), categories=(4, 36))  # two categories, and 34
    samples = [[0.5, np.nan, 2, 2], [-1.0, 2.0, 3, 33], [0.0, 0.0, 0, 34], [0.0, 0.0, 1, 99]]
    out = columns_of(samples, spec)
    assert_array_equal(out[:, :3], [[0.5, 0, 1], [-1, 2, 0], [0, 0, 0], [0, 0, 0]])
    assert_array_equal(out[:, 3:5], [[1, 0], [0, 1], [0, 0], [0, 0]])  # missing and unseen are neither
    assert_array_equal(out[:, 5:].argmax(1)[:2], [0, 31])
    assert_array_equal(out[:, 5:].sum(1), [1, 1, 0, 0])  # the 33rd category has no column


@pytest.mark.parametrize("clip", [0.2, 1.5, 50.0])
def test_numbers_get_their_tails_back(clip):
    X = np.random.default_rng(0).standard_t(2, size=(500, 3))
    preprocessor = TablePreprocessor(clip=clip)
    samples = preprocessor.fit_transform(X)
    z = (X - preprocessor.center_) * preprocessor.scale_
    out = columns_of(samples, preprocessor.spec_)
    assert np.abs(z).max() > WIDEST
    assert_allclose(out, np.clip(z, -WIDEST, WIDEST), rtol=0.002, atol=1e-5)
