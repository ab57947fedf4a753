"""The MLP encoder and the projectors: widths, layers, weights from the generator alone, what is refused."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_twins.networks import IdentityProjector, MLPEncoder, MLPProjector, PiecewiseLinear, TableStem
from sklearn_twins.preprocessing import TableSpec

SPEC = TableSpec(shape=(6,))
MARKED = TableSpec(shape=(6,), missing=(1, 4))
MIXED = TableSpec(shape=(6,), missing=(1,), categories=(4, 30, 4), edges=(tuple(np.linspace(-2, 2, 33)),) * 3)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def samples(n=12, dim=6):
    return torch.randn(n, dim, generator=seeded(9))


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize("spec", [SPEC, MARKED, MIXED], ids=["complete", "missing", "categories"])
@pytest.mark.parametrize(("n_components", "width"), [(None, 5), (5, 5), (1, 1), (40, 40)])
def test_width_of_the_embedding(spec, n_components, width):
    encoder = MLPEncoder(hidden_dims=(8, 5)).build(spec, n_components, seeded())
    out = encoder(samples())
    assert out.shape == (12, width) and out.dtype == torch.float32


def test_default_width():
    assert MLPEncoder().build(SPEC, None, seeded())(samples()).shape == (12, 256)


def test_layers():
    """Stem, then linear without bias, batch norm and ReLU for each width; a linear layer only if it is asked for."""
    layers = list(MLPEncoder(hidden_dims=(8, 5)).build(MARKED, None, seeded()))
    hidden = [nn.Linear, nn.BatchNorm1d, nn.ReLU]
    assert [type(layer) for layer in layers] == [TableStem, *hidden, *hidden]
    assert layers[1].in_features == 8 and layers[1].bias is None
    last = MLPEncoder(hidden_dims=(8, 5)).build(MARKED, 5, seeded())[-1]
    assert (type(last), last.in_features, last.out_features) == (nn.Linear, 5, 5) and last.bias is not None


@pytest.mark.parametrize(
    ("expansion", "added"),
    [(None, 0), ("piecewise_linear", 3 * 7), ("periodic", 3 * 7), (PiecewiseLinear(n_bins=16), 3 * 15)],
    ids=str,
)
def test_first_layer_takes_what_the_stem_gives(expansion, added):
    """Categories are not expanded; each number is."""
    stem, first, *_ = MLPEncoder((8,), expansion).check().build(MIXED, 3, seeded())
    assert first.in_features == stem.width == MIXED.n_inputs + added
    assert stem(samples()).shape == (12, stem.width)


def test_missing_values_give_finite_embeddings_and_gradients():
    encoder = MLPEncoder(hidden_dims=(8,)).build(MARKED, 3, seeded())
    x = samples()
    x[::2, 1], x[::3, 4], x[0] = float("nan"), float("nan"), float("nan")
    encoder(x).square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters())


def test_missing_differs_from_zero():
    encoder = MLPEncoder(hidden_dims=(8,)).build(MARKED, 3, seeded()).eval()
    x, y = samples(), samples()
    x[:, 1], y[:, 1] = 0.0, float("nan")
    assert not torch.allclose(encoder(x), encoder(y))


@pytest.mark.parametrize("component", [MLPEncoder(hidden_dims=(8, 5)), MLPProjector((8, 5), 7)])
def test_weights_are_the_generators(component):
    def build(seed):
        if isinstance(component, MLPEncoder):
            return component.build(SPEC, 4, seeded(seed))
        return component.build(6, seeded(seed))

    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = build(1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert same(first, build(1)) and not same(first, build(2))


def test_two_builds_share_nothing():
    component = MLPEncoder(hidden_dims=(8,))
    first, second = (component.build(SPEC, None, seeded()) for _ in range(2))
    with torch.no_grad():
        next(first.parameters()).zero_()
    assert next(second.parameters()).abs().sum() > 0


@pytest.mark.parametrize(("hidden_dims", "n_linear"), [((), 1), ((16,), 2), ((16, 8), 3), ([16, 8], 3)])
def test_projector(hidden_dims, n_linear):
    projector = MLPProjector(hidden_dims, projection_dim=9).build(6, seeded())
    assert projector(samples()).shape == (12, 9)
    assert sum(isinstance(layer, nn.Linear) for layer in projector) == n_linear
    assert isinstance(projector[-1], nn.Linear) and projector[-1].bias is not None


def test_default_projector():
    assert MLPProjector().build(6, seeded())(samples()).shape == (12, 256)


def test_identity_projector():
    x = samples()
    projector = IdentityProjector().check().build(6, seeded())
    assert torch.equal(projector(x), x) and not list(projector.parameters())


def test_rows_do_not_mix_in_eval_mode():
    encoder = MLPEncoder(hidden_dims=(8,)).build(SPEC, 3, seeded()).eval()
    x = samples()
    torch.testing.assert_close(encoder(x)[3:5], encoder(x[3:5]))


@pytest.mark.parametrize("kind", [MLPEncoder, MLPProjector])
@pytest.mark.parametrize("dims", [(0,), (8, -1), (8, 2.0), ("8",), (True,), (8, None)])
def test_wrong_widths_are_refused(kind, dims):
    with pytest.raises(ValueError, match=f"'hidden_dims' parameter of {kind.__name__} must hold positive integers"):
        kind(hidden_dims=dims).check()


@pytest.mark.parametrize("kind", [MLPEncoder, MLPProjector])
@pytest.mark.parametrize("dims", [8, None, "auto", {8}])
def test_widths_must_be_a_tuple_or_list(kind, dims):
    with pytest.raises(ValueError, match=f"'hidden_dims' parameter of {kind.__name__}"):
        kind(hidden_dims=dims).check()


def test_encoder_needs_a_hidden_layer():
    with pytest.raises(ValueError, match="'hidden_dims' parameter of MLPEncoder is empty"):
        MLPEncoder(hidden_dims=()).check()


@pytest.mark.parametrize("dim", [0, -3, 2.5, "auto", None])
def test_wrong_projection_dim_is_refused(dim):
    with pytest.raises(ValueError, match="'projection_dim' parameter of MLPProjector"):
        MLPProjector(projection_dim=dim).check()


@pytest.mark.parametrize(
    "component", [MLPEncoder([8, 4]), MLPEncoder((np.int64(8),)), MLPProjector(()), MLPProjector((8,), np.int32(4))]
)
def test_right_widths_pass(component):
    assert component.check() is component


def test_numpy_integers_build():
    encoder = MLPEncoder((np.int64(8),)).build(SPEC, np.int64(3), seeded())
    assert encoder(samples()).shape == (12, 3)


@pytest.mark.parametrize("component", [MLPEncoder((8,)), MLPProjector((8,), 5), IdentityProjector()])
def test_clone_and_pickle(component):
    copy = clone(component)
    assert copy is not component and copy.get_params() == component.get_params()
    assert repr(pickle.loads(pickle.dumps(component))) == repr(component)
