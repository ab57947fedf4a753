"""The table stem: missing values become zeros with marks beside them, all else passes."""

import pytest
import torch

from sklearn_twins._components import SampleSpec
from sklearn_twins.networks import TableStem

NAN = float("nan")


def test_complete_tables_pass():
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(TableStem(SampleSpec((3,)))(x), x)


def test_missing_values_are_marked():
    x = torch.tensor([[1.0, NAN, 3.0], [NAN, 5.0, 6.0], [7.0, 8.0, 9.0]])
    out = TableStem(SampleSpec((3,), missing=(0, 1)))(x)
    assert out.tolist() == [[1, 0, 3, 0, 1], [0, 5, 6, 1, 0], [7, 8, 9, 0, 0]]


def test_marks_are_in_the_order_of_the_spec():
    out = TableStem(SampleSpec((3,), missing=(2, 0)))(torch.tensor([[1.0, 2.0, NAN]]))
    assert out.tolist() == [[1, 2, 0, 1, 0]]


def test_missing_value_in_a_column_that_had_none_is_zero():
    out = TableStem(SampleSpec((3,), missing=(1,)))(torch.tensor([[NAN, 2.0, 3.0]]))
    assert out.tolist() == [[0, 2, 3, 0]]
    assert TableStem(SampleSpec((2,)))(torch.tensor([[NAN, 2.0]])).tolist() == [[0, 2]]


@pytest.mark.parametrize("missing", [(), (1,), (0, 1, 2, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_shape_and_dtype(missing, dtype):
    spec = SampleSpec((4,), missing=missing)
    out = TableStem(spec)(torch.full((6, 4), NAN, dtype=dtype))
    assert out.shape == (6, spec.n_inputs) and out.dtype == dtype
    assert torch.isfinite(out).all()


def test_input_is_not_modified():
    x = torch.tensor([[1.0, NAN]])
    TableStem(SampleSpec((2,), missing=(1,)))(x)
    assert torch.isnan(x).tolist() == [[False, True]]


def test_it_has_no_weights():
    assert not TableStem(SampleSpec((2,), missing=(1,))).state_dict()


def test_gradients_flow_to_present_values_only():
    x = torch.tensor([[1.0, NAN]], requires_grad=True)
    TableStem(SampleSpec((2,), missing=(1,)))(x).sum().backward()
    assert x.grad.tolist() == [[1, 0]]
