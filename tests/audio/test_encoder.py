"""The encoder of audio: its layers, clips of any length, and folding for inference."""

import pytest
import torch
from builders import build, seeded
from numpy.testing import assert_allclose

from sklearn_twins._inference._fold_batch_norm import fold_batch_norm
from sklearn_twins._roles import ROLES
from sklearn_twins.networks import AudioNTTEncoder, AudioStem
from sklearn_twins.preprocessing import AudioSpec, ImageSpec

SPEC = AudioSpec((16, 24))


def test_widths():
    for name, width in (("audio_ntt", 3_072), ("audio_ntt_slim", 768)):
        encoder = ROLES["encoder"].resolve(name, "audio")
        assert encoder.n_channels * 16 + encoder.hidden_dim == width
    small = build(AudioNTTEncoder(4, 8), SPEC)
    assert small(torch.zeros(2, 16, 24)).shape == (2, 4 * 4 + 8)
    assert build(AudioNTTEncoder(4, 8), SPEC, 5)(torch.zeros(2, 16, 24)).shape == (2, 5)


@pytest.mark.parametrize("n_frames", [4, 7, 24, 100])
def test_equals_its_definition(n_frames):
    encoder = build(AudioNTTEncoder(4, 8), SPEC).eval()
    _, conv_1, _, norm_1, _, conv_2, _, norm_2, _, head = encoder
    x = torch.randn(3, 16, n_frames, generator=seeded())
    y = x[:, None]
    for conv, norm in ((conv_1, norm_1), (conv_2, norm_2)):
        y = torch.relu(norm(torch.nn.functional.max_pool2d(conv(y), 2)))
    frames = []
    for t in range(y.shape[3]):
        frame = y[..., t].transpose(1, 2).flatten(1)  # (batch, bands * channels)
        frames.append(torch.cat([frame, head.layers(frame)], dim=1))
    frames = torch.stack(frames)
    with torch.no_grad():
        assert_allclose(encoder(x), frames.amax(0).detach() + frames.mean(0).detach(), atol=1e-5)
        assert_allclose(fold_batch_norm(encoder)(x), encoder(x), atol=1e-5)


def test_stem_takes_padding_away():
    x = torch.tensor([[[1.0, torch.nan]]], dtype=torch.float16)
    found = AudioStem()(x)
    assert found.dtype == torch.float32 and found.tolist() == [[[[1.0, 0.0]]]]


def test_other_samples_are_refused():
    with pytest.raises(ValueError, match="is for audio"):
        build(AudioNTTEncoder(), ImageSpec((1, 8, 8)))
    with pytest.raises(ValueError, match="at least 4 mel bands"):
        build(AudioNTTEncoder(), AudioSpec((3, 8)))
