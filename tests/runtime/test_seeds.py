"""Seeds and their streams: reproducible, independent, and without an effect on the global generators."""

import numpy as np
import pytest
import torch
from sklearn.utils import check_random_state

from sklearn_twins._runtime._seeds import choose_seed, make_generator

CPU = torch.device("cpu")


def test_seed_of_an_int_is_always_the_same():
    assert choose_seed(3) == choose_seed(3) != choose_seed(4)
    assert type(choose_seed(0)) is int


def test_seed_of_a_random_state_moves_it_on():
    state = np.random.RandomState(0)
    first, second = choose_seed(state), choose_seed(state)
    assert first != second and first == choose_seed(np.random.RandomState(0))


def test_seed_of_none_is_numpys_global_generator():
    shared = check_random_state(None)
    before = shared.get_state()
    first = choose_seed(None)
    shared.set_state(before)
    assert choose_seed(None) == first != choose_seed(None)


def test_int_seed_leaves_numpys_global_generator_alone():
    before = check_random_state(None).get_state()[1].copy()
    choose_seed(3)
    assert np.array_equal(check_random_state(None).get_state()[1], before)


def test_wrong_seed_is_refused():
    with pytest.raises(ValueError, match="cannot be used to seed"):
        choose_seed("three")


def test_streams_of_a_seed_are_apart():
    """Not even the streams of neighbouring seeds share their draws."""
    draws = {
        (seed, stream): torch.rand(50, generator=make_generator(seed, stream), dtype=torch.float64)
        for seed in range(6)
        for stream in range(6)
    }
    C = np.corrcoef(torch.stack(list(draws.values())).numpy())
    assert np.abs(C[~np.eye(36, dtype=bool)]).max() < 0.6
    assert len({make_generator(seed, stream).initial_seed() for seed, stream in draws}) == 36


def test_generator_is_the_same_each_time():
    a, b = (torch.rand(5, generator=make_generator(7, 1)) for _ in range(2))
    assert torch.equal(a, b)
    assert make_generator(7, 1).device == CPU


def test_generators_leave_the_global_one_alone():
    before = torch.get_rng_state()
    torch.rand(5, generator=make_generator(0, 0))
    assert torch.equal(torch.get_rng_state(), before)
