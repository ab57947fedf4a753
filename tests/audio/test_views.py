"""Views of spectrograms: equal to a computation in NumPy for each clip, the same bits for the same seed."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from builders import seeded
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_twins._audio._cut import CutViews, cut
from sklearn_twins._audio._log_mel import EPS
from sklearn_twins._audio._views import draw_parts, fade, mix, resize
from sklearn_twins._parts._augmentation import bind
from sklearn_twins._parts._two_views import make_views
from sklearn_twins.augmentations import AudioCrop, AudioMixup, GaussianNoise, LinearFader, Mixup, Pair, audio_views
from sklearn_twins.preprocessing import AudioSpec, ImageSpec

CPU = torch.device("cpu")
N, BANDS, FRAMES = 30, 16, 24


def spectrograms(n=N, frames=FRAMES, seed=0):
    return torch.randn(n, BANDS, frames, generator=seeded(seed))


def cubic_row(values, size):
    """Resize one line of values by cubic convolution with aligned corners: its definition, value by value."""

    def kernel(d):
        d = abs(d)
        if d <= 1:
            return 1.25 * d**3 - 2.25 * d**2 + 1
        return -0.75 * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0.0

    out = []
    for k in range(size):
        at = k * (len(values) - 1) / (size - 1)
        taps = range(int(np.floor(at)) - 1, int(np.floor(at)) + 3)
        out.append(sum(kernel(at - i) * values[min(max(i, 0), len(values) - 1)] for i in taps))
    return np.array(out)


def crop_one(x, top, height, left, width):
    """Cut one spectrogram out of a canvas of zeros, and resize it along both axes."""
    canvas, margin = np.zeros((BANDS, int(1.5 * FRAMES))), (int(1.5 * FRAMES) - FRAMES) // 2
    canvas[:, margin : margin + FRAMES] = x
    part = canvas[top : top + height, left + margin : left + margin + width]
    part = np.apply_along_axis(cubic_row, 0, part, BANDS)
    return np.apply_along_axis(cubic_row, 1, part, FRAMES)


def test_crop_equals_its_definition():
    x, generator = spectrograms(), seeded(1)
    heights, tops = draw_parts(N, (0.1, 1.5), BANDS, BANDS, generator)
    widths, lefts = draw_parts(N, (0.1, 1.5), FRAMES, 36, generator)
    found = resize(x, tops, heights, lefts - 6, widths)
    for i in range(N):
        one = crop_one(x[i].numpy(), *(int(values[i]) for values in (tops, heights, lefts - 6, widths)))
        assert_allclose(found[i], one, atol=1e-5)


def test_crop_equals_torchs_interpolation():
    x, whole = spectrograms(1), torch.tensor([0])
    found = resize(x, torch.tensor([3]), torch.tensor([9]), torch.tensor([5]), torch.tensor([11]))
    part = x[None, :, 3:12, 5:16]
    assert_allclose(found[0], F.interpolate(part, (BANDS, FRAMES), mode="bicubic", align_corners=True)[0, 0], atol=1e-5)
    assert_allclose(resize(x, whole, whole + BANDS, whole, whole + FRAMES), x, atol=1e-6)


def test_parts_are_drawn_as_said():
    lengths, starts = draw_parts(20_000, (0.6, 1.5), 64, 64, seeded())
    assert lengths.min() == 38 and lengths.max() == 64 and abs((lengths == 64).float().mean() - 0.5 / 0.9) < 0.02
    assert starts.min() == 0 and (starts + lengths).max() == 64
    free = starts[lengths == 60]
    assert_allclose(np.bincount(free, minlength=5) / len(free), 0.2, atol=0.08)
    lengths, starts = draw_parts(20_000, (0.6, 1.5), 96, 144, seeded())
    assert lengths.max() == 143 and (starts + lengths).max() == 144


def test_mixture_equals_its_definition():
    x, z, t = spectrograms(), spectrograms(seed=1), torch.rand(N, 1, 1, generator=seeded())
    one, other, share = (tensor.double().numpy() for tensor in (x, z, t))
    expected = np.log((1 - share) * np.exp(one) + share * np.exp(other) + EPS)
    assert_allclose(mix(x, z, t), expected, atol=1e-5)
    view = AudioMixup(max_weight=0.2)(x, z, seeded())
    assert_array_equal(AudioMixup(max_weight=0.0)(x, z, seeded()), mix(x, z, torch.zeros(N, 1, 1)))
    assert (view - x).abs().mean() > 0.01


def test_fading_equals_its_definition():
    x, g = spectrograms(), torch.rand(2, N, generator=seeded()) * 2 - 1
    found = fade(x, *g)
    for i in range(N):
        assert_allclose(found[i], x[i].numpy() + np.linspace(*g[:, i].tolist(), FRAMES), atol=1e-6)
    change = LinearFader(gain=0.5)(x, x, seeded()) - x
    assert 0.4 < change.abs().max() <= 0.5


@pytest.mark.parametrize("part", [AudioMixup(), AudioCrop(), LinearFader(), audio_views()], ids=repr)
def test_views(part):
    spec = AudioSpec((BANDS, FRAMES))
    x, views = spectrograms(), bind(part, spec, CPU)
    before = x.clone()
    first, again = (make_views(views, x, x, seeded(3)) for _ in range(2))
    for view, same in zip(first, again, strict=True):
        assert view.shape == x.shape and view.dtype == torch.float32 and view.isfinite().all()
        assert_array_equal(view, same)
    assert not torch.equal(*first) and torch.equal(x, before)
    with pytest.raises(ValueError, match="makes views of audio"):
        bind(part, ImageSpec((1, 8, 8)), CPU)


def padded(lengths):
    """Spectrograms whose values are the numbers of their frames, with NaN behind the end."""
    x = torch.arange(max(lengths)).float().repeat(len(lengths), 2, 1)
    for row, length in zip(x, lengths, strict=True):
        row[:, length:] = torch.nan
    return x


def test_cuts():
    x = cut(padded([5] * 200 + [12] * 200), 8, seeded())
    assert_array_equal(x[:200], torch.tensor([0.0, 1, 2, 3, 4, 0, 0, 0]).expand(200, 2, 8))
    starts = x[200:, 0, 0]
    assert_array_equal(x[200:], (starts[:, None] + torch.arange(8))[:, None].expand(-1, 2, -1))
    assert_array_equal(starts.unique(), torch.arange(5))
    assert cut(padded([3, 6]), 8, seeded()).shape == (2, 2, 8)


def test_padding_does_not_reach_views():
    """Whatever lies behind the end of a clip: the next clip's length, or its type."""
    x = padded([5, 12, 30])
    wider = F.pad(x, (0, 9), value=torch.nan)
    assert_array_equal(cut(x, 8, seeded()), cut(wider, 8, seeded()))
    assert_array_equal(cut(x[:1], 8, seeded()), cut(x[:1, :, :5], 8, seeded()))
    assert_array_equal(cut(x.half(), 8, seeded()), cut(x, 8, seeded()))


def test_both_views_are_made_from_one_cut():
    spec, x = AudioSpec((2, 8)), padded([30] * 50)
    a, b = make_views(bind(lambda x, data, generator: x, spec, CPU), x, x, seeded())
    assert_array_equal(a, b)
    assert len(a[:, 0, 0].unique()) > 5
    pair = Pair(lambda x, data, generator: x, lambda x, data, generator: -x)
    a, b = make_views(bind(pair, spec, CPU), x, x, seeded())
    assert_array_equal(a, -b)
    a, b = make_views(bind(pair, spec, CPU), x, x, seeded(), padded([30] * 50) + 100)
    assert (b < -99).all() and (a < 30).all()


def test_general_augmentations_see_cuts():
    spec, x = AudioSpec((BANDS, FRAMES)), spectrograms(frames=40)
    for part in (GaussianNoise(), Mixup()):
        views = bind(part, spec, CPU)
        assert isinstance(views, CutViews) and views(x, x, seeded()).shape == (N, BANDS, FRAMES)


@pytest.mark.parametrize(
    ("part", "what"),
    [
        (AudioMixup(max_weight=1.5), "max_weight"),
        (AudioCrop(time=(0.6,)), "time"),
        (AudioCrop(frequency=(0.0, 1.0)), "frequency"),
        (LinearFader(gain=-1), "gain"),
    ],
)
def test_parameters_out_of_range(part, what):
    with pytest.raises(ValueError, match=f"The '{what}' parameter"):
        part.check()
