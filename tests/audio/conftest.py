"""Fixtures of the tests of audio: tones of unequal length, and small embedders that fit them in a second."""

import numpy as np
import pytest

RATE = 8_000
PITCHES = (200, 500, 1_100, 2_500)  # Hz


@pytest.fixture(scope="session")
def clips():
    """40 tones of four pitches, a fifth of a second to a second long, with a little noise."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(RATE // 5, RATE, size=40)
    return [
        0.5 * np.sin(2 * np.pi * PITCHES[i % 4] * np.arange(n) / RATE) + rng.normal(scale=0.02, size=n)
        for i, n in enumerate(lengths)
    ]


@pytest.fixture(scope="session")
def make_audio():
    """Makes small embedders of audio: two epochs of two batches each on `clips`."""
    from sklearn_twins import BarlowTwinsEmbedder
    from sklearn_twins.networks import AudioNTTEncoder, MLPProjector
    from sklearn_twins.preprocessing import AudioPreprocessor

    def make_audio(preprocessor=None, **params):
        settings = {"input_rate": RATE, "n_mels": 16, "max_length": 0.8, **(preprocessor or {})}
        small = {
            "preprocessor": AudioPreprocessor(RATE, **settings),
            "encoder": AudioNTTEncoder(n_channels=4, hidden_dim=20),
            "projector": MLPProjector(hidden_dims=(12,), projection_dim=8),
            "max_epochs": 2,
            "batch_size": 20,
            "random_state": 0,
        }
        return BarlowTwinsEmbedder(modality="audio", **{**small, **params})

    return make_audio


@pytest.fixture(scope="session")
def fitted(clips, make_audio):
    """A fitted small embedder, which no test changes."""
    return make_audio().fit(clips)
