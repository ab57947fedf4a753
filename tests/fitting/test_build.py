"""Build a fit: each generator has a seed of its own, and frozen weights stay as they are."""

import torch
from numpy.testing import assert_array_equal
from torch import nn

from sklearn_twins._fitting._build import make_generators
from sklearn_twins._fitting._prepare import Environment
from sklearn_twins._runtime._seeds import Stream, make_generator
from sklearn_twins._training._distributed import ProcessGroup


def test_each_generator_has_a_seed_of_its_own():
    environment = Environment(torch.device("cpu"), ProcessGroup(), 1, False, False)
    generators = [*make_generators(0, environment, third_party=False).values()]
    generators += [make_generator(0, stream) for stream in (Stream.WEIGHTS, Stream.VALIDATION_ROWS)]
    assert len({generator.initial_seed() for generator in generators}) == 5


def test_frozen_weights_stay_frozen_in_a_warm_start(make, X):
    module = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 4))
    module[0].requires_grad_(False)
    embedder = make(encoder=module, warm_start=True).fit(X)
    trained = embedder.encoder_[1][2].weight.clone()
    embedder.set_params(max_epochs=4).fit(X)
    frozen, other = embedder.encoder_[1][0], embedder.encoder_[1][2]
    assert_array_equal(frozen.weight, module[0].weight)
    assert_array_equal(frozen.bias, module[0].bias)
    assert not torch.equal(other.weight, trained)
