"""Clips: subsets and joins keep every frame, and pad as before."""

import numpy as np
from numpy.testing import assert_array_equal

from sklearn_twins._audio._clips import Clips


def test_subsets_and_joins():
    lengths = np.array([3, 1, 4, 2])
    clips = Clips(np.arange(20.0).reshape(10, 2), lengths, 3)
    part = clips.subset(np.array([2, 0]))
    assert_array_equal(part.lengths, [4, 3])
    assert_array_equal(part.frames, clips.frames[[4, 5, 6, 7, 0, 1, 2]])
    assert_array_equal(part[:], clips[np.array([2, 0])])  # at most three frames, of longer clips the middle
    both = part.joined(clips.subset(np.array([1, 3])))
    assert_array_equal(both[:], clips[np.array([2, 0, 1, 3])])
    assert len(clips.subset(np.array([], dtype=int))) == 0
