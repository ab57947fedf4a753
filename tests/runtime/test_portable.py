"""Pickles of users' modules: equal ones hash alike, wherever they are held; what comes back is what went in."""

import copy
import functools
import pickle

import joblib
import pytest
import torch
from builders import small_embedder, small_table
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from torch import nn

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._runtime._digest import digest
from sklearn_twins.augmentations import Chain, Masking, Pair


class Own(nn.Module):
    """A module with a buffer that is not in its state_dict, a tensor of its own, and a weight with two names."""

    def __init__(self):
        super().__init__()
        self.weight, self.plain = nn.Parameter(torch.randn(3)), torch.randn(2)
        self.register_buffer("buffer", torch.randn(2), persistent=False)
        self.other_name = self.weight
        self.register_buffer("view", self.plain[1:])


class Holder:
    """A callable object that holds a module."""

    def __init__(self, module):
        self.module = module

    def __call__(self, x, data=None, generator=None):
        return x + self.module(x)


def distance(z_a, z_b, net=None):
    return (net(z_a) - net(z_b)).square().mean()


def linear():
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU())


MODULES = {
    "Sequential": linear,
    "Conv2d, channels last": lambda: nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last),
    "LSTM": lambda: nn.LSTM(2, 2),
    "Transformer": lambda: nn.TransformerEncoderLayer(4, 2, 4),
    "bfloat16": lambda: nn.Linear(2, 2).bfloat16(),
    "complex": lambda: nn.ParameterList([torch.randn(2, dtype=torch.complex64)]),
    "frozen": lambda: nn.Linear(2, 2).requires_grad_(False),
    "no rows": lambda: nn.ParameterList([torch.empty(0, 2), torch.randn(2)]),
    "own": Own,
}
PLACES = {
    "encoder": lambda module: {"encoder": module},
    "augmentation": lambda module: {"augmentation": module},
    "augmentation in a chain": lambda module: {"augmentation": Chain([("mask", Masking()), ("own", module)])},
    "augmentation in a pair": lambda module: {"augmentation": Pair(module, Masking())},
    "callable object": lambda module: {"augmentation": Holder(module)},
    "objective, a partial": lambda module: {"objective": functools.partial(distance, net=module)},
    "optimizer, a partial": lambda module: {"optimizer": functools.partial(torch.optim.SGD, momentum=module.weight)},
    "list": lambda module: {"callbacks": [("own", module)]},
}


def seeded(make, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def check(embed):
    """Equal ones hash alike, also after clone and pickle; others do not; and content and copies are right."""
    embedder, twin, other = embed(0), embed(0), embed(1)
    assert joblib.hash(embedder) == joblib.hash(twin) == joblib.hash(pickle.loads(pickle.dumps(twin)))
    assert joblib.hash(embedder) != joblib.hash(other)
    params = digest(embedder.get_params(deep=False))
    for way in (copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))):
        assert digest(way(embedder).get_params(deep=False)) == params


@pytest.mark.parametrize("kind", MODULES)
def test_every_module(kind):
    check(lambda seed: BarlowTwinsEmbedder(encoder=seeded(MODULES[kind], seed)))
    module = seeded(MODULES[kind])
    loaded = pickle.loads(pickle.dumps(BarlowTwinsEmbedder(encoder=module))).encoder
    pairs = list(zip(loaded.parameters(), module.parameters(), strict=True))
    assert all(a.stride() == b.stride() and a.requires_grad == b.requires_grad for a, b in pairs)
    assert joblib.hash(BarlowTwinsEmbedder(encoder=clone(module, safe=False))) == joblib.hash(
        BarlowTwinsEmbedder(encoder=module)
    )


@pytest.mark.parametrize("place", PLACES)
def test_every_place(place):
    check(lambda seed: BarlowTwinsEmbedder(**PLACES[place](seeded(lambda: nn.Linear(5, 5), seed))))


def test_shared_memory_stays_shared():
    loaded = pickle.loads(pickle.dumps(BarlowTwinsEmbedder(encoder=Own()))).encoder
    assert loaded.other_name is loaded.weight
    assert loaded.view.untyped_storage().data_ptr() == loaded.plain.untyped_storage().data_ptr()
    assert type(loaded.weight) is nn.Parameter and type(loaded.plain) is torch.Tensor


def test_shallow_copies_share_modules():
    embedder = BarlowTwinsEmbedder(encoder=linear())
    assert copy.copy(embedder).encoder is embedder.encoder


@pytest.mark.slow
def test_a_fitted_module():
    X = small_table()
    embedder = small_embedder(encoder=seeded(linear), warm_start=True).fit(X)
    loaded = pickle.loads(pickle.dumps(embedder))
    assert (loaded.transform(X) == embedder.transform(X)).all()
    assert loaded._recipe.encoder.source is loaded.encoder, "held once"
    wanted = embedder.set_params(max_epochs=3).fit(X).transform(X)
    assert (loaded.set_params(max_epochs=3).fit(X).transform(X) == wanted).all()


@pytest.mark.slow
@pytest.mark.parametrize("place", ["encoder", "augmentation in a chain", "objective, a partial"])
def test_memory_of_a_pipeline(tmp_path, place):
    """Each fold is fitted once."""
    X, y = small_table(), [0, 1] * 30
    made = PLACES[place](seeded(lambda: nn.Linear(8, 8) if place.startswith("objective") else nn.Linear(5, 5)))
    steps = [("e", small_embedder(**made)), ("c", LogisticRegression())]
    search = GridSearchCV(Pipeline(steps, memory=str(tmp_path)), {"c__C": [0.1, 1, 10]}, cv=2, refit=False)
    search.fit(X, y)
    assert len(list(tmp_path.rglob("output.pkl"))) == 2
