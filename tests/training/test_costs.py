"""What a training step costs, counted and not timed: operations, copies, and how often Python waits for a number."""

from collections import Counter
from functools import cache

import numpy as np
import pytest
from torch.profiler import ProfilerActivity, profile

from sklearn_twins import BarlowTwinsEmbedder

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning:torch"),
]

MORE = 10  # steps
PARAMETERS = 14  # tensors that the optimizer of tables updates, each with a counter it reads
MATRICES = 6  # weights that the optimizer of images makes orthogonal, by five rounds of three products


def operations(modality, n_steps, **params):
    """How often each operation of torch's is called in a fit of one epoch with batches of 32."""
    rng = np.random.default_rng(0)
    shape = (32 * n_steps, 8) if modality == "tabular" else (32 * n_steps, 8, 8, 3)
    X = rng.normal(size=shape) if modality == "tabular" else rng.integers(0, 256, shape, dtype=np.uint8)
    params |= {"modality": modality, "max_epochs": 1, "batch_size": 32, "random_state": 0}
    embedder = BarlowTwinsEmbedder(**params, passthrough=False)  # whose scales are learnt from rows, not in steps
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        embedder.fit(X)
    return Counter(event.name.removeprefix("aten::") for event in profiled.events() if event.name.startswith("aten::"))


def of_a_step(modality, **params):
    """Operations of one step, from two fits that differ in nothing but their steps."""
    few, many = (operations(modality, n_steps, **params) for n_steps in (MORE, 2 * MORE))
    return Counter({name: (many[name] - few[name]) / MORE for name in many})


@cache
def of_a_step_of_a_table():
    """The same for the default embedder of tables."""
    return of_a_step("tabular")


def test_a_step_of_a_table():
    """Two passes, one objective of three products, one optimizer step: nothing is there twice."""
    counts = of_a_step_of_a_table()
    assert counts["_local_scalar_dense"] == PARAMETERS  # of the optimizer's counters; none of losses
    assert counts["index_select"] == 1  # rows of the batch
    assert counts["gather"] == counts["rand"] == 2  # donors, one draw a view
    assert counts["_fused_adamw_"] == 2  # one for matrices, which decay, and one for the rest
    assert counts["linear"] == 2 * 5  # three hidden layers of the encoder, two of the projector
    assert counts["mm"] <= 30 and counts["addmm"] <= 6
    assert counts["copy_"] <= 45 and counts["clone"] == 0
    assert sum(counts.values()) <= 1000


def test_a_step_of_images():
    counts = of_a_step("image")
    assert counts["_local_scalar_dense"] == 0
    assert counts["linalg_vector_norm"] == MATRICES
    assert counts["addmm"] == MATRICES * 5 * 2 + 2  # and two layers with a bias
    assert counts["convolution"] == 8 and counts["convolution_backward"] == 8
    assert counts["copy_"] <= 350
    assert sum(counts.values()) <= 4000


def test_callbacks_cost_nothing_a_step(recorder):
    """A callback of the user's adds none of torch's operations to a step."""
    assert of_a_step("tabular", callbacks=[recorder]) == of_a_step_of_a_table()
