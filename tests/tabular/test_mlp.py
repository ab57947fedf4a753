"""The MLP encoder: layers and refused widths; see also `test_every_encoder.py`."""

import numpy as np
import pytest
from builders import seeded, table_samples, table_spec
from torch import nn

from sklearn_twins.networks import MLPEncoder, PiecewiseLinear, TableStem

MIXED = table_spec(6, missing=(1,), categories=(4, 30, 4), edges=(tuple(np.linspace(-2, 2, 33)),) * 3)


def test_layers():
    """Stem; linear without bias, batch norm and ReLU for each width; a linear layer if `n_components` is set."""
    spec = table_spec(6, missing=(1, 4))
    layers = list(MLPEncoder(hidden_dims=(8, 5)).build(spec, None, seeded()))
    hidden = [nn.Linear, nn.BatchNorm1d, nn.ReLU]
    assert [type(layer) for layer in layers] == [TableStem, *hidden, *hidden]
    assert layers[1].in_features == 8 and layers[1].bias is None
    last = MLPEncoder(hidden_dims=(8, 5)).build(spec, 5, seeded())[-1]
    assert (type(last), last.in_features, last.out_features) == (nn.Linear, 5, 5) and last.bias is not None


@pytest.mark.parametrize(
    ("expansion", "added"),
    [(None, 0), ("piecewise_linear", 3 * 7), ("periodic", 3 * 7), (PiecewiseLinear(n_bins=16), 3 * 15)],
    ids=str,
)
def test_first_layer_has_the_width_of_the_stem(expansion, added):
    """Only numbers are expanded."""
    stem, first, *_ = MLPEncoder((8,), expansion).check().build(MIXED, 3, seeded())
    assert first.in_features == stem.width == MIXED.n_inputs + added
    assert stem(table_samples(MIXED)).shape == (64, stem.width)


@pytest.mark.parametrize(
    "dims", [(), (0,), (8, -1), (8, 2.0), ("8",), (True,), (8, None), 8, None, "auto", {8}], ids=repr
)
def test_wrong_widths_are_refused(dims):
    with pytest.raises(ValueError, match="'hidden_dims' parameter of MLPEncoder") as caught:
        MLPEncoder(hidden_dims=dims).check()
    if isinstance(dims, tuple):
        assert ("must hold positive integers" if dims else "is empty") in str(caught.value)
