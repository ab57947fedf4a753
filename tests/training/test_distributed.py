"""Several processes that train together, by torchrun and gloo: as one process does that has the whole batch."""

import importlib.util
import multiprocessing
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._runtime._devices import is_launched
from sklearn_twins._training._batches import Batches
from sklearn_twins._training._distributed import ONE_PROCESS, ProcessGroup, init_process_group

SCRIPT = Path(__file__).with_name("launched.py")
spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
launched = importlib.util.module_from_spec(spec)
spec.loader.exec_module(launched)


def torchrun(n_ranks, what, directory):
    """Run the script in as many processes; what it prints."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n_ranks)]
    done = subprocess.run([*command, SCRIPT, what, directory], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def by_torchrun(tmp_path_factory):
    """What the script saw in each of two processes, and what was printed."""
    directory = tmp_path_factory.mktemp("ranks")
    printed = torchrun(launched.N_RANKS, "fits", directory)
    return [joblib.load(directory / f"{rank}.pkl") for rank in range(launched.N_RANKS)], printed


@pytest.mark.slow
@pytest.mark.parametrize("name", [*launched.FITS, "classifier"])
def test_a_fit_of_two_processes_is_that_of_one(by_torchrun, name):
    """Losses and embeddings, from the same views; single precision, which training makes coarser with each step."""
    seen, _ = by_torchrun
    found, wanted = (
        seen[0]["fits"][name],
        (launched.classified(by_one=True) if name == "classifier" else launched.fitted(name, by_one=True)),
    )
    tolerance = 2e-2 if name == "bfloat16" else 1e-3
    for column, values in wanted["history"].items():
        if column not in ("seconds", "rows_per_second"):
            np.testing.assert_allclose(found["history"][column], values, tolerance, tolerance, err_msg=column)
    scale = wanted["embedding"].std()
    assert np.abs(found["embedding"] - wanted["embedding"]).max() < 5 * tolerance * scale
    for tensor, values in wanted["encoder"].items():
        np.testing.assert_allclose(found["encoder"][tensor], values, tolerance, tolerance, err_msg=tensor)


@pytest.mark.slow
def test_every_process_has_the_same_encoder(by_torchrun):
    """To the bit, in every fit: warm starts and streams, left-over rows, and seeds that differ."""
    (first, second), _ = by_torchrun
    fits = {**first["continued"], **{name: fit["encoder"] for name, fit in first["fits"].items()}}
    others = {**second["continued"], **{name: fit["encoder"] for name, fit in second["fits"].items()}}
    assert len(fits) == len(launched.FITS) + 5
    for name, tensors in fits.items():
        for tensor, values in tensors.items():
            np.testing.assert_array_equal(values, others[name][tensor], err_msg=f"{name}: {tensor}")


@pytest.mark.slow
def test_a_warm_start_of_two_processes_goes_on(by_torchrun):
    """Two epochs and two more are other weights than two."""
    (first, _), _ = by_torchrun
    one = BarlowTwinsEmbedder(**{**launched.SMALL, "max_epochs": 2}).fit(launched.TABLE)
    tensor, values = next(iter(launched.numbers_of(one).items()))
    assert np.abs(first["continued"]["warm"][tensor] - values).max() > 1e-3


@pytest.mark.slow
def test_the_first_process_reports(by_torchrun):
    _, printed = by_torchrun
    assert printed.count("epoch 1/4") == 1 and printed.count("epoch 4/4") == 1


@pytest.mark.slow
def test_rows_that_differ_are_refused_by_every_process(by_torchrun):
    seen, _ = by_torchrun
    for rank in seen:
        assert "X must be the same in each of the 2 processes" in rank["other rows"]
        assert "[60, 61] rows" in rank["other rows"]
        assert "[64, 64] rows, which differ in their values" in rank["other values"]
        assert "y must be the same in each of the 2 processes" in rank["other labels"]


@pytest.mark.slow
def test_gradients_are_those_of_the_whole_batch(tmp_path):
    """To the last digits of double precision, of any objective; an average would be off by the number of ranks."""
    n_ranks = 3
    torchrun(n_ranks, "steps", tmp_path)
    for rank in range(n_ranks):
        found_rank, size, seen = joblib.load(tmp_path / f"{rank}.pkl")
        assert (found_rank, size) == (rank, n_ranks)
        for name in launched.CASES:
            loss, *found = seen[name]
            wanted_loss, *wanted = launched.steps_of(name, n_ranks)
            assert loss == pytest.approx(wanted_loss, rel=1e-10)
            for numbers, expected in zip(found, wanted, strict=True):
                assert numbers.keys() == expected.keys() and expected
                for key, values in expected.items():
                    np.testing.assert_allclose(numbers[key], values, 1e-8, 1e-10, err_msg=f"{name}: {key}")
        assert "batch_size=2 makes batches of 2 rows, which 3 processes cannot share" in seen["small batches"]
        assert "checkpoint='nowhere' works in a fit by one process" in seen["checkpoint"]


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
