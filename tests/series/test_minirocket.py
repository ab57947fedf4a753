"""MiniRocket's kernels: equal to a NumPy reference, the same on one series and in a batch, blind to what is missing."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import build, seeded

from sklearn_twins._series._kernel_features import KernelFeatures, convolve, fit_kernels
from sklearn_twins._series._kernels import Kernels, choose_layers, quantile_levels
from sklearn_twins._series._passthrough import make_module
from sklearn_twins.networks import MiniRocketEncoder
from sklearn_twins.preprocessing import SeriesPreprocessor, SeriesSpec

TRIPLES = sorted(itertools.combinations(range(9), 3), key=lambda triple: triple[::-1])


def waves(n, channels, length, seed=0):
    return np.random.default_rng(seed).normal(size=(n, channels, length)).cumsum(2).astype(np.float32)


def outputs_of(series, triple, dilation):
    """Outputs of one kernel for one series, by its weights of -1 and 2.  # (length,)"""
    weights = np.where(np.isin(np.arange(9), triple), 2.0, -1.0)
    padded = np.pad(series.astype(np.float64), 4 * dilation)
    return sum(w * padded[i * dilation : i * dilation + len(series)] for i, w in enumerate(weights))


def differences_of(series, there):
    """Differences from the step before, by loops; 0 if there is none, or if one of both is missing."""
    steps = [0.0] + [float(series[t] - series[t - 1]) * (there[t] and there[t - 1]) for t in range(1, len(series))]
    return np.array(steps, dtype=np.float32)


def features_of(series, there, kernels):
    """Features of one series, by loops."""
    length, features = series.shape[1], []
    series = [*series, *(differences_of(channel, there) for channel in series)]
    layers = zip(kernels.dilations, kernels.channels, kernels.biases, strict=True)
    for layer, (dilation, channels, biases) in enumerate(layers):
        mixed = sum(series[channel] for channel in channels)
        counted, reach = there.copy(), 4 * dilation
        if layer // 2 % 2 and length > 2 * reach:
            ends = [reach <= t < length - reach and there[t - reach] and there[t + reach] for t in range(length)]
            counted = there & ends if (there & ends).any() else there
        for triple, bias in zip(TRIPLES, biases, strict=True):
            above = outputs_of(mixed, triple, dilation) > bias + 1e-9
            features.append(above[counted].mean())
    return np.array(features)


@pytest.mark.parametrize("dilation", [1, 3])
def test_convolutions_are_those_of_the_weights(dilation):
    x = waves(3, 1, 30)[:, 0]
    outputs = convolve(torch.from_numpy(x), dilation).numpy()
    expected = [[outputs_of(series, triple, dilation) for triple in TRIPLES] for series in x]
    np.testing.assert_allclose(outputs, expected, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("gaps", [False, True])
def test_features_equal_a_reference(channels, gaps):
    X = waves(12, channels, 40).astype(np.float64)
    if gaps:
        X[::2, :, 25:], X[1, :, 7] = np.nan, np.nan
    preprocessor = SeriesPreprocessor(n_kernel_features=8 * 84)
    samples = preprocessor.fit_transform(X)
    spec = preprocessor.spec_
    features = make_module(spec)(torch.from_numpy(samples)).numpy()
    there = samples[:, -1] > 0 if gaps else np.full((12, 40), True)
    for i in (0, 1, 5):
        expected = features_of(samples[i, :channels], there[i], spec.kernels)
        off = np.abs(features[i] - expected) > 1e-6
        assert off.mean() < 0.02 and np.abs(features[i] - expected).max() < 1.5 / there[i].sum() * 2  # ties round


def test_biases_are_quantiles_of_the_training_series():
    X = waves(50, 1, 60)
    preprocessor = SeriesPreprocessor(n_kernel_features=4 * 84)
    features = make_module(preprocessor.fit(X).spec_)(torch.from_numpy(preprocessor.transform(X))).numpy()
    levels = quantile_levels(4 * 84)
    assert np.corrcoef(features.mean(0), 1 - levels)[0, 1] > 0.9
    assert preprocessor.spec_.kernels.biases == SeriesPreprocessor(n_kernel_features=4 * 84).fit(X).spec_.kernels.biases


def test_a_series_has_the_same_features_alone_and_in_a_batch():
    X = waves(40, 2, 50)
    preprocessor = SeriesPreprocessor(n_kernel_features=3 * 84).fit(X)
    module, samples = make_module(preprocessor.spec_), torch.from_numpy(preprocessor.transform(X))
    features = module(samples)
    assert torch.equal(module(samples[7:8]), features[7:8])
    assert torch.equal(module(samples.flip(0)), features.flip(0))


def test_what_is_missing_is_not_seen():
    spec = SeriesSpec((3, 50), masked=True)
    samples = np.concatenate([waves(10, 2, 50), np.ones((10, 1, 50), np.float32)], axis=1)
    samples[:, :, 30:] = 0
    spec = replace(spec, kernels=fit_kernels(samples, spec, 5 * 84))
    module, x = make_module(spec), torch.from_numpy(samples)
    changed = x.clone()
    changed[:, :2, 30:] = torch.randn(10, 2, 20, generator=seeded())
    assert torch.equal(module(changed), module(x))


@pytest.mark.parametrize("length", [1, 2, 8, 9, 10, 400])
def test_lengths(length):
    """Series shorter than a kernel are padded with zeros; dilated kernels are at most as long as a series."""
    X = np.random.default_rng(0).normal(size=(20, length))
    preprocessor = SeriesPreprocessor(n_kernel_features=20 * 84).fit(X)
    assert 8 * max(preprocessor.spec_.kernels.dilations) < max(length, 9)
    features = make_module(preprocessor.spec_)(torch.from_numpy(preprocessor.transform(X)))
    assert features.shape == (20, 20 * 84) and bool(((features >= 0) & (features <= 1)).all())


def test_layers():
    dilations, channels = choose_layers(10 * 84, 20, 100)
    assert dilations[0] == 1 and dilations[-1] == 12 and sorted(dilations) == list(dilations)
    assert all(len(set(some)) == 4 for some in channels)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 6, 9, 50, 101])
def test_every_channel_is_seen(n_channels):
    """And its differences from step to step."""
    _, channels = choose_layers(12 * 84, n_channels, 100)
    assert {channel for some in channels for channel in some} == set(range(2 * n_channels))


@pytest.mark.parametrize(("n_channels", "most"), [(1, 11), (6, 2), (40, 1)])
def test_some_layers_are_kept_for_the_encoder(n_channels, most):
    """They see no differences, are spread over the dilations and over the channels, and keep their biases."""
    dilations, channels = choose_layers(59 * 84, n_channels, 100)
    kernels = Kernels(dilations, channels, tuple((float(layer),) for layer in range(59)))
    few = kernels.thin(1_000, n_channels)
    assert few.n_features == 924 and kernels.thin(59 * 84, n_channels) is kernels
    assert few.dilations[0] == 1 and few.dilations[-1] > 8 and sorted(few.dilations) == list(few.dilations)
    assert max(map(few.channels.count, few.channels)) <= most and max(map(max, few.channels)) < n_channels
    layers = [int(layer) for (layer,) in few.biases]
    assert few.dilations == tuple(dilations[i] for i in layers) and few.channels == tuple(channels[i] for i in layers)


def test_the_encoder_sees_as_many_features_as_it_wants():
    spec = SeriesPreprocessor(n_kernel_features=5 * 84).fit(waves(20, 1, 30)).spec_
    assert build(MiniRocketEncoder((8,), n_kernel_features=200), spec)[0].width == 168


def test_the_stem_is_not_trained():
    spec = SeriesPreprocessor(n_kernel_features=84).fit(waves(20, 1, 30)).spec_
    network = build(MiniRocketEncoder(hidden_dims=(8,)), spec)
    x = torch.randn(6, 1, 30, generator=seeded(), requires_grad=True)
    assert network(x).shape == (6, 8)
    assert not list(network[0].parameters()) and not network[0](x).requires_grad
    assert isinstance(network[0], KernelFeatures)


def test_specs_that_are_refused():
    with pytest.raises(ValueError, match=r"MiniRocketEncoder\(\).*preprocessor__n_kernel_features"):
        build(MiniRocketEncoder(), SeriesSpec((1, 30)))
    with pytest.raises(ValueError, match="'hidden_dims' parameter of MiniRocketEncoder is empty"):
        MiniRocketEncoder(hidden_dims=()).check()


def test_kernels_are_compared_without_biases():
    assert Kernels((1,), ((0,),), ((0.5,) * 84,)) == Kernels((1,), ((0,),))
