"""The log-mel spectrogram: equal to a computation by NumPy frame by frame, and to librosa's."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_twins._audio._log_mel import EPS, FrontEnd, log_mel, make_filters
from sklearn_twins.preprocessing import AudioPreprocessor

CPU = torch.device("cpu")
FRONTS = {
    "published": FrontEnd(16_000, 64, 1_024, 160, 60.0, 7_800.0),
    "8 kHz": FrontEnd(8_000, 64, 512, 80, 60.0, 3_900.0),
    "window filled up": FrontEnd(16_000, 40, 400, 160, 80.0, 7_600.0),
}


def sound(n, seed=0):
    """Noise under a slow envelope, a rising tone and a silence."""
    rng, t = np.random.default_rng(seed), np.arange(n)
    x = rng.normal(size=n) * np.sin(t / 900) ** 2 * 0.1 + 0.5 * np.sin(t * (0.05 + t / n / 2))
    x[n // 2 : n // 2 + n // 5] = 0
    return x


def reference(x, front):
    """The definition, frame by frame and band by band, in NumPy alone."""
    n_fft, window = front.n_fft, 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(front.window) / front.window)
    left = (n_fft - front.window) // 2
    window = np.pad(window, (left, n_fft - front.window - left))
    padded = np.pad(x, n_fft // 2, mode="reflect")
    mel = 2595 * np.log10(1 + np.array([front.f_min, front.f_max]) / 700)
    corners = 700 * (10 ** (np.linspace(*mel, front.n_mels + 2) / 2595) - 1)
    rows = []
    for start in range(0, len(x) + 1, front.hop):
        power = np.abs(np.fft.rfft(window * padded[start : start + n_fft])) ** 2
        hertz = np.arange(len(power)) * front.sample_rate / n_fft
        bands = [np.interp(hertz, corners[m : m + 3], [0, 1, 0], left=0, right=0) @ power for m in range(front.n_mels)]
        rows.append(np.log(np.array(bands) + EPS))
    return np.array(rows)


@pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)
def test_equals_the_definition(front):
    x = sound(5_000)
    found, expected = log_mel(x, front, CPU), reference(x, front)
    assert found.shape == (1 + 5_000 // front.hop, front.n_mels)
    assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)
def test_equals_librosa(front):
    librosa = pytest.importorskip("librosa")
    x = sound(12_345)
    options = {"n_fft": front.n_fft, "hop_length": front.hop, "win_length": front.window, "pad_mode": "reflect"}
    bands = {"n_mels": front.n_mels, "fmin": front.f_min, "fmax": front.f_max, "htk": True, "norm": None}
    power = librosa.feature.melspectrogram(y=x, sr=front.sample_rate, **options, **bands)
    found = np.exp(log_mel(x, front, CPU).T) - EPS
    assert_allclose(found, power, atol=1e-5 * power.max())
    assert_allclose(log_mel(x, front, CPU).T, np.log(power + EPS), atol=1e-5 * np.abs(np.log(power + EPS)).max())


def test_published_settings_and_their_scaling():
    assert AudioPreprocessor()._front() == FRONTS["published"]
    assert AudioPreprocessor(8_000)._front() == FRONTS["8 kHz"]
    assert log_mel(np.ones(15_200), FRONTS["published"], CPU).shape == (96, 64)


def test_short_clips_are_continued_with_silence():
    front, x = FRONTS["8 kHz"], sound(200)
    assert_array_equal(log_mel(x, front, CPU), log_mel(np.pad(x, (0, 312)), front, CPU))
    assert len(log_mel(x[:1], front, CPU)) == front.count_frames(1) == 7


def test_empty_bands_are_refused():
    with pytest.raises(ValueError, match=r"n_mels=128 gives .* empty band"):
        make_filters(FrontEnd(8_000, 128, 256, 80, 60.0, 3_900.0))
