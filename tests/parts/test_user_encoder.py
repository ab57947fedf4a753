"""A user's encoders: copied, never trained or moved; made by a callable; refused with a reason."""

import pytest
import torch
from builders import seeded
from sklearn.base import clone
from torch import nn

from sklearn_twins import SampleSpec
from sklearn_twins.networks import ImageStem, ReadyEncoder, TableStem, output_width
from sklearn_twins.preprocessing import ImageSpec, TableSpec

SPEC = TableSpec(shape=(6,))
MARKED = TableSpec(shape=(6,), missing=(1, 4))
MIXED = TableSpec(shape=(6,), missing=(1,), categories=(4, 40))
IMAGE = ImageSpec(shape=(3, 4, 5), mean=(0.2, 0.4, 0.6), std=(0.1, 0.2, 0.4))


def build(source, spec=SPEC, n_components=None, seed=0):
    return ReadyEncoder(source).build(spec, n_components, seeded(seed))


def test_module_is_copied_with_its_weights():
    module = nn.Linear(6, 3)
    encoder = build(module)
    copy = encoder[1]
    assert copy is not module and torch.equal(copy.weight, module.weight)
    with torch.no_grad():
        copy.weight.zero_()
    assert module.weight.abs().sum() > 0


def test_module_of_the_user_is_left_as_it_was():
    module = nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3)).double().requires_grad_(False).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    build(module)
    assert module.training and not any(p.requires_grad for p in module.parameters())
    for name, tensor in module.state_dict().items():
        assert tensor.dtype == before[name].dtype and torch.equal(tensor, before[name])


def test_copy_is_float32_on_the_cpu():
    encoder = build(nn.Linear(6, 3).double())
    assert all(p.requires_grad and p.dtype == torch.float32 for p in encoder.parameters())
    assert encoder(torch.zeros(4, 6)).shape == (4, 3)


def test_frozen_layers_stay_frozen():
    encoder = build(nn.Sequential(nn.Linear(6, 4).requires_grad_(False), nn.Linear(4, 3)))
    assert [p.requires_grad for p in encoder.parameters()] == [False, False, True, True]


def test_two_builds_share_nothing():
    component = ReadyEncoder(nn.Linear(6, 3))
    first, second = (component.build(SPEC, None, torch.Generator()) for _ in range(2))
    assert first[1].weight.data_ptr() != second[1].weight.data_ptr()


def test_callable_is_given_the_spec():
    seen = []

    def make(spec):
        seen.append(spec)
        return nn.Linear(spec.n_inputs, 3)

    assert build(make, MARKED)(torch.zeros(5, 6)).shape == (5, 3)
    assert seen == [MARKED]


def test_tables_get_a_stem():
    encoder = build(lambda spec: nn.Linear(8, 3), MARKED)
    assert isinstance(encoder[0], TableStem)
    x = torch.zeros(2, 6)
    x[0, 1] = float("nan")
    assert torch.isfinite(encoder(x)).all() and not torch.equal(*encoder(x))


def test_images_get_a_stem():
    """The module may call `view`, whatever the layout of the images."""

    class View(nn.Module):
        def forward(self, x):
            return x.view(len(x), -1)

    encoder = build(View(), IMAGE)
    assert isinstance(encoder[0], ImageStem)
    x = torch.randint(256, (6, 3, 4, 5), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (IMAGE.mean, IMAGE.std))
    for given in (x, x / 255, x.contiguous(memory_format=torch.channels_last)):
        torch.testing.assert_close(encoder(given), ((x / 255 - mean) / std).flatten(1))


def test_samples_of_another_kind_get_no_stem():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    assert isinstance(build(flat, SampleSpec(shape=(4, 12)))[0], nn.Flatten)


class Keep(nn.Module):
    """Hands on what it is given, and keeps it."""

    def forward(self, x):
        self.seen = x
        return x


def test_module_is_given_numbers_marks_and_embeddings():
    encoder = build(Keep(), MIXED)
    x = torch.tensor([[0.5, float("nan"), -1.0, 2.0, 3.0, 31.0], [0.5, 1.0, -1.0, 2.0, 0.0, 1.0]])
    encoder(x)
    seen = encoder[1].seen
    assert seen.shape == (2, MIXED.n_inputs) and seen.requires_grad
    assert seen[:, :5].tolist() == [[0.5, 0, -1, 2, 1], [0.5, 1, -1, 2, 0]]
    assert seen[0, 5:7].tolist() == [0, 1] and (seen[0, 7:] != 0).all() and (seen[1, 5:] == 0).all()


def test_embeddings_are_the_generators():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    x = torch.full((1, 6), 3.0)
    first, again, other = (build(Keep(), MIXED, seed=seed)(x) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("n_components", [None, 3])
def test_width_may_be_stated(n_components):
    assert output_width(build(nn.Linear(6, 3), n_components=n_components), SPEC) == 3


def test_wrong_width_is_refused():
    with pytest.raises(ValueError, match="n_components=4, but the given encoder returns 3 columns"):
        build(nn.Linear(6, 3), n_components=4)


def test_wrong_input_width_is_refused():
    with pytest.raises(ValueError, match=r"cannot take samples of shape \(6,\)"):
        build(nn.Linear(5, 3))
    with pytest.raises(ValueError, match="For a table it receives 8 numbers, see TableSpec"):
        build(nn.Linear(6, 3), MARKED)
    with pytest.raises(ValueError, match=rf"For a table it receives {MIXED.n_inputs} numbers"):
        build(nn.Linear(6, 3), MIXED)


def test_message_about_images_speaks_of_no_table():
    """Where the channels are is what goes wrong most."""
    for module in (nn.Sequential(nn.Flatten(), nn.Linear(6, 3)), nn.Conv2d(5, 2, 1)):
        with pytest.raises(ValueError, match=r"\(3, 4, 5\) \(.*\)\. For images .*\(batch, 3, 4, 5\): channels"):
            build(module, IMAGE)


def test_message_about_samples_of_another_kind():
    with pytest.raises(ValueError, match=r"of shape \(4, 3\) \(.*\)\. It receives batches of shape \(batch, 4, 3\)"):
        build(nn.Sequential(nn.Flatten(), nn.Linear(6, 3)), SampleSpec(shape=(4, 3)))


def test_map_of_an_image_is_no_table():
    with pytest.raises(ValueError, match=r"must turn 2 samples into an array \(2, width\). Got \(2, 2, 4, 5\)"):
        build(nn.Conv2d(3, 2, 1), IMAGE)


def test_callable_is_given_the_spec_of_images():
    encoder = build(lambda spec: nn.Sequential(nn.Conv2d(spec.shape[0], 2, 4), nn.Flatten()), IMAGE, 4)
    assert encoder(torch.zeros(5, 3, 4, 5, dtype=torch.uint8)).shape == (5, 4)


@pytest.mark.parametrize("made", [None, 3, nn.Linear])
def test_callable_that_makes_no_module_is_refused(made):
    with pytest.raises(TypeError, match=r"must return a torch\.nn\.Module"):
        build(lambda spec: made)


@pytest.mark.parametrize(
    "module",
    [
        nn.Unflatten(1, (2, 3)),
        nn.Sequential(nn.Linear(6, 4), nn.Flatten(0)),
        nn.LSTM(6, 3),
    ],
    ids=["3-D", "1-D", "tuple"],
)
def test_output_that_is_no_table_is_refused(module):
    with pytest.raises(ValueError, match=r"must turn 2 samples into an array \(2, width\)"):
        build(module)


def test_trying_the_width_leaves_running_statistics_alone():
    module = nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3))
    copy = build(module)[1]
    assert copy[1].num_batches_tracked.item() == 0
    assert torch.equal(copy[1].running_mean, torch.zeros(3))


def test_trying_the_width_needs_no_gradient():
    encoder = build(nn.Linear(6, 3))
    assert all(p.grad is None for p in encoder.parameters())


def test_default_dtype_and_device_do_not_matter():
    module, x = nn.Linear(MIXED.n_inputs, 3), torch.full((1, 6), 3.0)
    expected = build(module, MIXED)(x)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        encoder = build(module, MIXED)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert torch.equal(encoder[1].weight, module.weight) and torch.equal(encoder(x), expected)


def test_clone_keeps_the_weights():
    component = ReadyEncoder(nn.Linear(6, 3))
    copy = clone(component)
    assert torch.equal(copy.source.weight, component.source.weight)
    assert copy.source is not component.source
