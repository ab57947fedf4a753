"""The residual encoder: the paper's forward pass; see also `test_every_encoder.py`."""

import pytest
import torch
from builders import seeded, table_samples, table_spec

from sklearn_twins.networks import ResNetEncoder

MIXED = table_spec(6, missing=(1,), categories=(4, 30))


def by_hand(encoder, inputs, training):
    """The equations of section 3.2 with the encoder's weights, in float64; `inputs` come from the stem."""
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
@pytest.mark.parametrize(("n_blocks", "n_components"), [(1, 3), (3, None)])
def test_forward_pass_is_the_papers(n_blocks, n_components, training):
    encoder = ResNetEncoder(8, n_blocks).build(MIXED, n_components, seeded())
    with torch.no_grad():
        for name, tensor in encoder.state_dict().items():  # norms that do something
            if name.endswith(("weight", "bias", "running_mean", "running_var")):
                tensor += 0.3 * torch.rand(tensor.shape, generator=seeded(4))
    x = table_samples(MIXED)
    expected = by_hand(encoder, encoder[0](x), training)
    torch.testing.assert_close(encoder.train(training)(x), expected.float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("encoder", "n_blocks"), [(ResNetEncoder(), 2), (ResNetEncoder(8, 1), 1), (ResNetEncoder(8, 3), 3)]
)
def test_number_of_blocks(encoder, n_blocks):
    assert sum(hasattr(layer, "branch") for layer in encoder.build(MIXED, None, seeded())) == n_blocks
