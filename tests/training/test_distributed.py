"""Several processes that train together, by gloo: as one process does that has the whole batch."""

import multiprocessing
import os
import subprocess
import sys
from functools import partial

import joblib
import launched
import numpy as np
import pytest
import torch

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._runtime._devices import is_launched
from sklearn_twins._training._batches import Batches
from sklearn_twins._training._distributed import ONE_PROCESS, ProcessGroup, init_process_group

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What each process saw in the fits, and in the steps; and what was printed. tests/test_readme.py runs torchrun."""
    directory = tmp_path_factory.mktemp("ranks")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, launched.__file__, directory]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    fits = [joblib.load(directory / f"fit_all-{rank}.pkl") for rank in range(launched.N_RANKS)]
    steps = [joblib.load(directory / f"step_all-{rank}.pkl") for rank in range(launched.N_RANKS_OF_STEPS)]
    return fits, steps, done.stdout


@pytest.fixture(scope="module")
def fits(seen):
    return seen[0]


@FORKS
@pytest.mark.slow
@pytest.mark.parametrize("name", [*launched.FITS, "classifier"])
def test_a_fit_of_two_processes_is_that_of_one(fits, name):
    """Losses and embeddings, from the same views; single precision, which training makes coarser with each step."""
    fit = launched.classified if name == "classifier" else partial(launched.fitted, name)
    found, wanted = fits[0]["fits"][name], fit(by_one=True)
    tolerance = 2e-2 if name == "bfloat16" else 1e-3
    for column, values in wanted["history"].items():
        if column not in ("seconds", "rows_per_second"):
            np.testing.assert_allclose(found["history"][column], values, tolerance, tolerance, err_msg=column)
    scale = wanted["embedding"].std()
    assert np.abs(found["embedding"] - wanted["embedding"]).max() < 5 * tolerance * scale
    for tensor, values in wanted["encoder"].items():
        np.testing.assert_allclose(found["encoder"][tensor], values, tolerance, tolerance, err_msg=tensor)


@FORKS
@pytest.mark.slow
def test_every_process_has_the_same_encoder(fits):
    """To the bit, in every fit: warm starts and streams, left-over rows, and seeds that differ."""
    first, second = fits
    ones = {**first["continued"], **{name: fit["encoder"] for name, fit in first["fits"].items()}}
    others = {**second["continued"], **{name: fit["encoder"] for name, fit in second["fits"].items()}}
    assert len(ones) == len(launched.FITS) + 5
    for name, tensors in ones.items():
        for tensor, values in tensors.items():
            np.testing.assert_array_equal(values, others[name][tensor], err_msg=f"{name}: {tensor}")


@FORKS
@pytest.mark.slow
def test_a_warm_start_of_two_processes_goes_on(fits):
    """Two epochs and two more are other weights than two."""
    first = fits[0]
    one = BarlowTwinsEmbedder(**{**launched.SMALL, "max_epochs": 2}).fit(launched.TABLE)
    tensor, values = next(iter(launched.numbers_of(one).items()))
    assert np.abs(first["continued"]["warm"][tensor] - values).max() > 1e-3


@FORKS
@pytest.mark.slow
def test_the_first_process_reports(seen):
    printed = seen[2]
    assert printed.count("epoch 1/4") == 1 and printed.count("epoch 4/4") == 1


@FORKS
@pytest.mark.slow
def test_rows_that_differ_are_refused_by_every_process(fits):
    for rank in fits:
        assert "X must be the same in each of the 2 processes" in rank["other rows"]
        assert "[60, 61] rows" in rank["other rows"]
        assert "[64, 64] rows, which differ in their values" in rank["other values"]
        assert "y must be the same in each of the 2 processes" in rank["other labels"]


@FORKS
@pytest.mark.slow
def test_gradients_are_those_of_the_whole_batch(seen):
    """To the last digits of double precision, of any objective; an average would be off by the number of ranks."""
    steps = seen[1]
    for rank, (found_rank, size, step) in enumerate(steps):
        assert (found_rank, size) == (rank, len(steps))
        for name in launched.CASES:
            loss, *found = step[name]
            wanted_loss, *wanted = launched.steps_of(name, len(steps))
            assert loss == pytest.approx(wanted_loss, rel=1e-10)
            for numbers, expected in zip(found, wanted, strict=True):
                assert numbers.keys() == expected.keys() and expected
                for key, values in expected.items():
                    np.testing.assert_allclose(numbers[key], values, 1e-8, 1e-10, err_msg=f"{name}: {key}")
        assert "batch_size=2 makes batches of 2 rows, which 3 processes cannot share" in step["small batches"]
        assert "checkpoint='nowhere' works in a fit by one process" in step["checkpoint"]


@pytest.mark.parametrize("generator", [None, 0])
def test_ranks_share_every_batch(generator):
    """Side by side, their rows are the batches of one process; what does not divide sits out."""
    data = torch.arange(53.0)[:, None]

    def batches(*ranks):
        source = None if generator is None else torch.Generator().manual_seed(generator)
        return list(Batches(data, 10, source, *ranks))

    whole, parts = batches(), zip(batches(0, 4), batches(1, 4), batches(2, 4), batches(3, 4), strict=True)
    assert len(whole) == 6 and len(whole[0]) == 8
    for batch, shares in zip(whole, parts, strict=True):
        assert torch.equal(batch, torch.cat(shares))
        assert {len(share) for share in shares} == {2}


def test_one_process_is_alone(monkeypatch):
    """So is one that a launcher has started by itself; and nothing is exchanged."""
    assert init_process_group(torch.device("cpu")) is ONE_PROCESS and ProcessGroup(0, 1) == ONE_PROCESS
    for name, value in {"RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": "localhost", "MASTER_PORT": 1}.items():
        monkeypatch.setenv(name, str(value))
    assert not is_launched() and init_process_group(torch.device("cpu")) is ONE_PROCESS
    x = torch.ones(3, requires_grad=True)
    assert ONE_PROCESS.gather(x) is x and ONE_PROCESS.broadcast(x) is x


def test_workers_of_a_launched_process_train_alone(monkeypatch):
    """They inherit its environment, and nobody waits for them."""
    for name, value in {"RANK": 0, "WORLD_SIZE": 2, "MASTER_ADDR": "localhost", "MASTER_PORT": 1}.items():
        monkeypatch.setenv(name, str(value))
    assert is_launched()
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: object())
    assert not is_launched()
