"""The projectors: widths, weights from the generator alone, what is refused."""

import pickle

import numpy as np
import pytest
import torch
from builders import seeded
from sklearn.base import clone
from torch import nn

from sklearn_twins.networks import IdentityProjector, MLPProjector


def samples():
    return torch.randn(12, 6, generator=seeded(9))


@pytest.mark.parametrize(("hidden_dims", "n_linear"), [((), 1), ((16,), 2), ((np.int64(16), 8), 3), ([16, 8], 3)])
def test_layers(hidden_dims, n_linear):
    projector = MLPProjector(hidden_dims, projection_dim=np.int32(9)).check().build(6, seeded())
    assert projector(samples()).shape == (12, 9)
    assert sum(isinstance(layer, nn.Linear) for layer in projector) == n_linear
    assert isinstance(projector[-1], nn.Linear) and projector[-1].bias is not None


def test_default_width():
    assert MLPProjector().build(6, seeded())(samples()).shape == (12, 256)


def test_identity_projector():
    x = samples()
    projector = IdentityProjector().check().build(6, seeded())
    assert torch.equal(projector(x), x) and not list(projector.parameters())


def test_weights_are_the_generators():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (MLPProjector((8, 5), 7).build(6, seeded(seed))(samples()) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("dims", [(0,), (8, -1), (8, 2.0), ("8",), (True,), (8, None), 8, None, "auto", {8}], ids=repr)
def test_wrong_widths_are_refused(dims):
    words = " must hold positive integers" if isinstance(dims, tuple) else ""
    with pytest.raises(ValueError, match=f"'hidden_dims' parameter of MLPProjector{words}"):
        MLPProjector(hidden_dims=dims).check()


@pytest.mark.parametrize("dim", [0, -3, 2.5, "auto", None])
def test_wrong_projection_dim_is_refused(dim):
    with pytest.raises(ValueError, match="'projection_dim' parameter of MLPProjector"):
        MLPProjector(projection_dim=dim).check()


@pytest.mark.parametrize("component", [MLPProjector((8,), 5), IdentityProjector()])
def test_clone_and_pickle(component):
    copy = clone(component)
    assert copy is not component and copy.get_params() == component.get_params()
    assert repr(pickle.loads(pickle.dumps(component))) == repr(component)
