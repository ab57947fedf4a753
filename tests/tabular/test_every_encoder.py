"""Promises of every encoder of tables: widths, missing values, weights from the generator alone, refused parameters."""

import copy
import pickle
import re

import numpy as np
import pytest
import torch
from builders import same, seeded, table_samples, table_spec
from sklearn.base import clone
from torch import nn

from sklearn_twins.networks import MLPEncoder, Periodic, PiecewiseLinear, ResNetEncoder

EDGES = tuple(np.linspace(-2, 2, 33))
SPECS = {
    "complete": table_spec(6, edges=(EDGES,) * 6),
    "with gaps": table_spec(6, missing=(1, 4), edges=(EDGES,) * 6),
    "mixed": table_spec(6, missing=(1,), categories=(4, 30, 4), edges=(EDGES,) * 3),
    "codes only": table_spec(2, categories=(4, 30)),
}
ENCODERS = {
    "mlp": MLPEncoder((8,)),
    "mlp of NumPy's integers": MLPEncoder([np.int64(12), 8]),
    "mlp, piecewise linear": MLPEncoder((8,), PiecewiseLinear(n_bins=4)),
    "mlp, by name": MLPEncoder((8,), "periodic"),
    "resnet": ResNetEncoder(np.int64(8)),
    "resnet, periodic": ResNetEncoder(8, 1, Periodic(3, 0.7, width=5)),
    "resnet, by name": ResNetEncoder(8, 1, "piecewise_linear"),
}
every_encoder = pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
every_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
SMALL = [MLPEncoder((8,)), ResNetEncoder(8, 1)]
both = pytest.mark.parametrize("encoder", SMALL, ids=lambda encoder: type(encoder).__name__)


@every_encoder
@every_spec
def test_width_of_the_embedding(encoder, spec):
    """`n_components` adds a linear layer, even if it equals the encoder's own width."""
    for n_components, width in [(None, 8), (8, 8), (1, 1), (np.int64(40), 40)]:
        module = encoder.check().build(spec, n_components, seeded())
        out = module(table_samples(spec))
        assert out.shape == (64, width) and out.dtype == torch.float32
        assert isinstance(module[-1], nn.Linear) == (n_components is not None)


@pytest.mark.parametrize(("encoder", "width"), [(MLPEncoder(), 256), (ResNetEncoder(), 192)])
def test_default_width(encoder, width):
    module = encoder.build(SPECS["complete"], None, seeded())
    assert module(table_samples(SPECS["complete"])).shape == (64, width)


@every_encoder
@every_spec
def test_missing_values_give_finite_embeddings_and_gradients(encoder, spec):
    """Also in columns without missing values in training."""
    module, x = encoder.build(spec, 3, seeded()), table_samples(spec)
    x[::2, 0], x[0] = torch.nan, torch.nan
    out = module(x)
    out.square().sum().backward()
    assert torch.isfinite(out).all() and all(torch.isfinite(p.grad).all() for p in module.parameters())
    assert torch.isfinite(module.eval()(x[:1])).all()


@every_encoder
def test_missing_differs_from_zero(encoder):
    module = encoder.build(SPECS["with gaps"], 3, seeded()).eval()
    x = table_samples(SPECS["complete"])
    y = x.clone()
    x[:, 1], y[:, 1] = 0.0, torch.nan
    assert not torch.allclose(module(x), module(y))


@every_encoder
@every_spec
def test_weights_come_from_the_generator_alone(encoder, spec):
    torch.manual_seed(5)
    before, x = torch.get_rng_state(), table_samples(spec)
    first, again, other = (encoder.build(spec, 3, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    expected = first(x)
    assert torch.equal(again(x), expected) and not torch.equal(other(x), expected)
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.zero_()
    assert torch.equal(again(x), expected), "two builds share nothing"


@every_encoder
@every_spec
def test_clones_pickles_and_copies(encoder, spec):
    """Buffers outside the `state_dict` are computed by `build`."""
    copied = clone(encoder)
    assert copied is not encoder and repr(copied) == repr(encoder)
    assert repr(pickle.loads(pickle.dumps(encoder))) == re.sub(r"np.int64\((\d+)\)", r"\1", repr(encoder))
    assert encoder.expansion is None or isinstance(encoder.expansion, str) or copied.expansion is not encoder.expansion
    first, other = (c.build(spec, 3, seeded(s)).eval() for c, s in ((encoder, 1), (copied, 2)))
    other.load_state_dict(first.state_dict())
    x = table_samples(spec)
    assert same(first(x), other(x)) and same(first(x), copy.deepcopy(first)(x))


@every_encoder
def test_rows_do_not_mix_in_eval_mode(encoder):
    module, x = encoder.build(SPECS["mixed"], 3, seeded()).eval(), table_samples(SPECS["mixed"])
    torch.testing.assert_close(module(x)[3:5], module(x[3:5]))


@both
@pytest.mark.parametrize("name", ["piecewise_linear", "periodic"])
def test_tables_without_numbers_have_nothing_to_expand(encoder, name):
    spec = SPECS["codes only"]
    plain, expanding = (clone(encoder).set_params(expansion=e).build(spec, 3, seeded()).eval() for e in (None, name))
    assert torch.equal(plain(table_samples(spec)), expanding(table_samples(spec)))


@both
def test_parameters_of_the_expansion_are_reached_through_the_encoder(encoder):
    for expansion in (PiecewiseLinear(), "piecewise_linear"):
        changed = clone(encoder).set_params(expansion=expansion).set_params(expansion__n_bins=16)
        assert changed.build(SPECS["complete"], None, seeded())[0].width == 6 * 16


@both
@pytest.mark.parametrize(
    ("expansion", "message"),
    [
        (PiecewiseLinear(n_bins=3), "'n_bins' parameter of PiecewiseLinear"),
        (PiecewiseLinear(n_bins=8.0), "'n_bins' parameter of PiecewiseLinear"),
        (Periodic(n_frequencies=0), "'n_frequencies' parameter of Periodic"),
        (Periodic(frequency_scale=0), "'frequency_scale' parameter of Periodic"),
        (Periodic(frequency_scale=float("nan")), "'frequency_scale' parameter of Periodic"),
        (Periodic(width=2.5), "'width' parameter of Periodic"),
        ("fourier", "'expansion' parameter of .*'piecewise_linear'"),
        (8, "'expansion' parameter of"),
    ],
    ids=repr,
)
def test_wrong_expansion_is_refused(encoder, expansion, message):
    with pytest.raises(ValueError, match=message):
        clone(encoder).set_params(expansion=expansion).check()


@both
def test_class_is_refused_where_an_expansion_is_meant(encoder):
    words = rf"expansion of {type(encoder).__name__} must be an instance.* Periodic\(\.\.\.\)"
    with pytest.raises(TypeError, match=words):
        type(encoder)(expansion=Periodic).check()


@both
@pytest.mark.parametrize("name", ["piecewise_linear", "periodic"])
@pytest.mark.parametrize("edges", [(), (EDGES, EDGES)], ids=len)
def test_samples_without_edges_are_refused(encoder, name, edges):
    """A user's own preprocessor may not provide them."""
    with pytest.raises(ValueError, match=rf"needs \w+\.edges of each of the 3 numbers.* of {len(edges)}\."):
        clone(encoder).set_params(expansion=name).build(table_spec(3, edges=edges), None, seeded())


@pytest.mark.parametrize("parameter", ["width", "n_blocks"])
@pytest.mark.parametrize("value", [0, -1, 2.0, "8", None])
def test_wrong_size_of_a_resnet_is_refused(parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of ResNetEncoder"):
        ResNetEncoder(**{parameter: value}).check()
