"""The residual encoder: the paper's forward pass, its widths, weights from the generator alone, what is refused."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_twins.networks import ResNetEncoder
from sklearn_twins.preprocessing import TableSpec

SPEC = TableSpec((6,))
MIXED = TableSpec((6,), missing=(1,), categories=(4, 30))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def build(spec=SPEC, n_components=None, seed=0, **parameters):
    return ResNetEncoder(**{"width": 8, **parameters}).build(spec, n_components, seeded(seed))


def samples(n=30):
    """Numbers and codes, of which the plain table takes all for numbers."""
    x = 2 * torch.randn(n, 6, generator=seeded(9))
    x[:, 4:] = x[:, 4:].abs().round()
    return x


def by_hand(encoder, inputs, training):
    """Equations of section 3.2 on the encoder's weights, in float64; `inputs` are the stem's."""
    state = {name: value.double() for name, value in encoder.state_dict().items()}

    def linear(x, name):
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def norm(x, name):
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        if training:
            mean, var = x.mean(0), x.var(0, unbiased=False)
        return (x - mean) / (var + 1e-5).sqrt() * state[f"{name}.weight"] + state[f"{name}.bias"]

    x = linear(inputs.double(), "1")
    block = 2
    while f"{block}.branch.0.weight" in state:
        hidden = linear(norm(x, f"{block}.branch.0"), f"{block}.branch.1").relu()
        x = x + linear(hidden, f"{block}.branch.3")
        block += 1
    x = norm(x, f"{block}").relu()
    return linear(x, f"{block + 2}") if f"{block + 2}.weight" in state else x


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("n_components", [None, 3])
@pytest.mark.parametrize("n_blocks", [1, 3])
def test_forward_pass_is_the_papers(n_blocks, n_components, training):
    encoder = build(MIXED, n_components, n_blocks=n_blocks)
    assert sum(hasattr(layer, "branch") for layer in encoder) == n_blocks
    with torch.no_grad():
        for name, tensor in encoder.state_dict().items():  # norms that do something
            if name.endswith(("weight", "bias", "running_mean", "running_var")):
                tensor += 0.3 * torch.rand(tensor.shape, generator=seeded(4))
    expected = by_hand(encoder, encoder[0](samples()), training)
    torch.testing.assert_close(encoder.train(training)(samples()), expected.float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("spec", [SPEC, MIXED], ids=["numbers", "mixed"])
@pytest.mark.parametrize(("n_components", "width"), [(None, 8), (8, 8), (1, 1), (np.int64(40), 40)])
def test_width_of_the_embedding(spec, n_components, width):
    encoder = build(spec, n_components)
    out = encoder(samples())
    assert out.shape == (30, width) and out.dtype == torch.float32
    assert (out < 0).any() == (n_components is not None)  # a linear layer only if a width is asked for


def test_defaults():
    encoder = ResNetEncoder().build(SPEC, None, seeded())
    assert encoder(samples()).shape == (30, 192)
    assert sum(hasattr(layer, "branch") for layer in encoder) == 2


def test_missing_values_give_finite_embeddings_and_gradients():
    encoder, x = build(MIXED, 3), samples()
    x[::2, 1], x[0] = float("nan"), float("nan")
    encoder(x).square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters())


def test_weights_are_the_generators():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (build(MIXED, 3, seed).eval()(samples()) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_rows_do_not_mix_in_eval_mode():
    encoder, x = build(MIXED).eval(), samples()
    torch.testing.assert_close(encoder(x)[3:5], encoder(x[3:5]))


@pytest.mark.parametrize("parameter", ["width", "n_blocks"])
@pytest.mark.parametrize("value", [0, -1, 2.0, "8", None])
def test_wrong_size_is_refused(parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of ResNetEncoder"):
        ResNetEncoder(**{parameter: value}).check()


def test_clone_and_pickle():
    component = ResNetEncoder(np.int64(8), 1, "periodic")
    assert component.check() is component and clone(component).get_params() == component.get_params()
    assert repr(pickle.loads(pickle.dumps(component))) == repr(component)
