"""Threads, modes and global generators: set as asked, and restored afterwards."""

import threading

import joblib
import pytest
import torch

from sklearn_twins._runtime._seeds import make_generator
from sklearn_twins._runtime._torch_state import (
    count_threads,
    isolated_torch_state,
    pin_threads,
    seed_global_generators,
    tune_convolutions,
)

CPU = torch.device("cpu")


@pytest.fixture
def two_threads():
    """Two intra-op threads in this Python thread, as on most machines; put back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield 2
    torch.set_num_threads(before)


def in_thread(function):
    """What a new Python thread gets from the function."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def ambient():
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_default_device(),
        torch.get_default_dtype(),
        torch.get_num_threads(),
    )


def check_isolated():
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    assert not torch.is_autocast_enabled("cpu")
    x = torch.ones(2, 2, dtype=torch.float32, requires_grad=True)
    assert x.device == CPU
    product = x @ x
    product.sum().backward()
    assert product.dtype == torch.float32 and x.grad is not None
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    "context",
    [
        torch.no_grad,
        torch.inference_mode,
        lambda: torch.autocast("cpu", dtype=torch.bfloat16),
        lambda: torch.device("meta"),
    ],
    ids=["no_grad", "inference_mode", "autocast", "default device"],
)
def test_isolated_within_an_ambient_state(context):
    outer = ambient()
    with context():
        before = ambient()
        with isolated_torch_state(CPU, 1):
            check_isolated()
        assert ambient() == before
    assert ambient() == outer


def test_isolation_ends_after_an_error(two_threads):
    before = ambient()
    with pytest.raises(KeyboardInterrupt), isolated_torch_state(CPU, 1):
        raise KeyboardInterrupt
    assert ambient() == before


def test_threads_are_pinned_and_put_back(two_threads):
    with pin_threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_pins_within_pins_give_back_the_outer_pin(two_threads):
    """A callback that embeds rows during a fit must leave the rest of the fit its number of threads."""
    with pin_threads(1):
        with pin_threads(1):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
        with pin_threads(2):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def pin_and_count(n_threads=1):
    with pin_threads(n_threads):
        inside = torch.get_num_threads()
    return inside, torch.get_num_threads()


@pytest.mark.parametrize("inner", [1, 3])
def test_thread_started_during_a_fit_is_given_the_callers_number(two_threads, inner):
    with pin_threads(inner):
        assert in_thread(lambda: pin_and_count(inner)) == (inner, 2)
        assert torch.get_num_threads() == inner
    assert torch.get_num_threads() == 2


def test_threads_that_pin_at_once_all_end_as_they_began(two_threads):
    """Starts and ends overlap in every order."""
    start = threading.Barrier(6)
    found = []

    def work(i):
        torch.set_num_threads(2)
        start.wait()
        for _ in range(20):
            with pin_threads(1):
                found.append(torch.get_num_threads())
        found.append(torch.get_num_threads() - 1)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * (6 * 21)
    assert torch.get_num_threads() == 2


def test_number_of_threads():
    assert count_threads(None) == 1
    assert count_threads(3) == min(3, joblib.cpu_count())
    assert count_threads(-1) == joblib.cpu_count()
    with pytest.raises(ValueError, match="n_jobs"):
        count_threads(0)


def report():
    """What a worker process finds: its share, and the threads for some values of `n_jobs`."""
    return torch.get_num_threads(), [count_threads(n_jobs) for n_jobs in (-1, 2, None)]


@pytest.mark.slow
def test_workers_of_a_parallel_search_stay_within_their_share():
    """As many workers as cores: one thread each, whatever is asked for."""
    shares = joblib.Parallel(n_jobs=max(2, joblib.cpu_count()))(joblib.delayed(report)() for _ in range(2))
    assert all(max(found) <= share for share, found in shares), shares


def test_global_generators_are_seeded_and_put_back():
    torch.manual_seed(11)
    before = torch.get_rng_state()
    draws = []
    for _ in range(2):
        with seed_global_generators(3, CPU):
            draws.append(torch.rand(4))
    assert torch.equal(*draws)
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(RuntimeError), seed_global_generators(3, CPU):
        torch.rand(4)
        raise RuntimeError
    assert torch.equal(torch.get_rng_state(), before)


def test_global_generators_are_lent_to_one_thread_at_a_time():
    """Threads that draw from torch's global generator under the same seed all draw the same."""

    def draw():
        with seed_global_generators(3, CPU):
            return torch.stack([torch.rand(3) for _ in range(20)])

    expected, found = draw(), []
    threads = [threading.Thread(target=lambda: found.append(draw())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6 and all(torch.equal(drawn, expected) for drawn in found)


@pytest.mark.gpu
def test_generators_and_global_seeds_on_cuda():
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device here.")
    device = torch.device("cuda")
    a, b = (torch.rand(5, generator=make_generator(7, 1, device), device=device) for _ in range(2))
    assert torch.equal(a, b)
    before = torch.cuda.get_rng_state()
    with seed_global_generators(3, device):
        torch.rand(5, device=device)
    assert torch.equal(torch.cuda.get_rng_state(), before)


@pytest.mark.parametrize("before", [False, True])
def test_cudnn_is_tuned_in_a_fit_and_as_it_was_after(monkeypatch, before):
    cudnn, cuda = torch.backends.cudnn, torch.device("cuda")
    monkeypatch.setattr(cudnn, "benchmark", before)
    with tune_convolutions(torch.device("cpu")):
        assert cudnn.benchmark == before
    first, second = tune_convolutions(cuda), tune_convolutions(cuda)
    first.__enter__()
    second.__enter__()  # of a fit in another thread
    first.__exit__(None, None, None)
    assert cudnn.benchmark
    second.__exit__(None, None, None)
    assert cudnn.benchmark == before
    with pytest.raises(ZeroDivisionError), tune_convolutions(cuda):
        1 / 0  # noqa: B018
    assert cudnn.benchmark == before


def test_cudnn_is_left_alone_where_kernels_are_to_be_deterministic(monkeypatch):
    cudnn, cuda = torch.backends.cudnn, torch.device("cuda")
    monkeypatch.setattr(cudnn, "benchmark", False)
    with monkeypatch.context() as patch:
        patch.setattr(cudnn, "deterministic", True)
        with tune_convolutions(cuda):
            assert not cudnn.benchmark
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
    with tune_convolutions(cuda):
        assert not cudnn.benchmark
