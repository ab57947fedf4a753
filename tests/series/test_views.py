"""Every augmentation of time series: against NumPy, series by series; padding and gaps; parameters; the contract."""

import pickle

import numpy as np
import pytest
import torch
from builders import bound, image_spec, same, seeded
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation as Turn
from sklearn.base import clone

from sklearn_twins._parts._augmentation import bind
from sklearn_twins._series._spec import SeriesSpec
from sklearn_twins.augmentations import (
    Chain,
    ComplementaryColumns,
    FrequencyMask,
    GaussianNoise,
    Identity,
    Jitter,
    MagnitudeWarp,
    MarginalCorruption,
    Masking,
    Mixup,
    Pair,
    Permutation,
    Rotation,
    Scaling,
    SeriesViews,
    SpectraViews,
    TimeCrop,
    TimeMask,
    TimeWarp,
    make_views,
)

VIEWS = [
    Jitter(),
    Scaling(),
    MagnitudeWarp(0.5),
    MagnitudeWarp(0.5, n_knots=2),
    TimeCrop(),
    TimeWarp(0.5),
    TimeWarp(2.0, n_knots=3),
    Permutation(),
    Permutation(18),
    TimeMask(0.3),
    TimeMask(0.3, block=0.2),
    FrequencyMask(0.5),
    Rotation(((2, 0, 1),)),
    SeriesViews(),
    SpectraViews(jitter=0.1),
    SpectraViews(0, 0, 0, 3),
    Chain([("crop", TimeCrop()), ("jitter", Jitter()), ("mask", TimeMask())]),
]
every = pytest.mark.parametrize("augmentation", VIEWS, ids=repr)
every_masked = pytest.mark.parametrize("masked", [False, True], ids=["complete", "masked"])
LENGTHS = [1, 2, 3, 37]


def spec_of(n_channels, length, masked):
    return SeriesSpec((n_channels + masked, length), masked)


def series(spec, n=24, seed=1):
    """Normal values; if steps may be missing, series of all lengths, with gaps, and one without any step."""
    x = torch.randn(n, *spec.shape, generator=seeded(seed))
    if spec.masked:
        rng = np.random.default_rng(seed)
        there = np.arange(spec.length) < rng.integers(1, spec.length + 1, size=(n, 1))
        there &= rng.random((n, spec.length)) < np.linspace(0.5, 1.5, n)[:, None]
        there[n // 2] = False
        there[-1] = True
        x[:, -1] = torch.from_numpy(there).float()
        x = x * x[:, -1:]
    return x


def draw(augmentation, spec, n, seed=0):
    """The bound view, and the numbers it draws."""
    chain = augmentation if isinstance(augmentation, Chain) else Chain([("only", augmentation)])
    (_, view), generator = bound(chain, spec).steps[0], seeded(seed)
    return view, [operation.draw_numbers(n, generator) for operation in view.operations]


# Each view in NumPy, for the steps (channels, n) of one series up to its last one, and whether they are there (n,).
# A reference returns values and mark. Time is linear between steps; the nearer one decides whether a step is there.


def at_times(values, there, at):
    at = np.clip(at, 0, len(there) - 1)
    low = np.floor(at).astype(int)
    high, w = np.minimum(low + 1, len(there) - 1), at - np.floor(at)
    share = (1 - w) * there[low] + w * there[high]
    total = (1 - w) * there[low] * values[:, low] + w * there[high] * values[:, high]
    kept = share >= 0.5
    return np.where(kept, total / np.where(kept, share, 1), 0), kept


def curve(knots, n):
    if n == 1:
        return knots[:1]
    return CubicSpline(np.linspace(0, n - 1, len(knots)), knots)(np.arange(n))


def jitter(values, there, noise):
    return values + noise[:, : len(there)], there


def scaling(values, there, factor):
    return values * factor, there


def magnitude_warp(values, there, knots):
    return values * curve(knots, len(there)), there


def time_crop(values, there, share, place):
    last = len(there) - 1
    start = place.item() * last * (1 - share.item())
    return at_times(values, there, start + np.linspace(0, share.item() * last, last + 1))


def time_warp(values, there, knots):
    n = len(there)
    passed = np.cumsum(np.maximum(curve(knots, n), 0.1)) if n > 1 else np.zeros(1)
    at = (n - 1) * (passed - passed[0]) / max(passed[-1] - passed[0], 1e-9)
    return at_times(values, there, at)


def permutation(values, there, count, scores, keys):
    n, most = len(there), len(keys)
    n_cuts = min(int(count[0] * most), n - 1)
    cuts = np.sort(1 + np.argsort(scores[1:n])[:n_cuts])
    segments = np.split(np.arange(n), cuts)
    order = np.concatenate([segments[i] for i in np.argsort(keys[: len(segments)])])
    return values[:, order], there[order]


def time_mask(values, there, scores, offset, rate, block):
    n = len(there)
    width = max(block * n, 1)
    number = np.floor(np.float32(np.arange(n)) / np.float32(width) + np.float32(offset)).astype(int)
    kept = scores[number] >= rate
    return values * kept, there & kept


def frequency_mask(values, there, scores, rate):
    n = len(there)
    spectrum = np.fft.rfft(values) * (scores[: n // 2 + 1] >= rate)
    return np.fft.irfft(spectrum, n=n), there


def rotation(values, there, axis, angle, triples):
    turned, turn = values.copy(), Turn.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix()
    for triple in triples:
        turned[list(triple)] = turn @ values[list(triple)]
    return turned, there


def shift(values, there, distance):
    return at_times(values, there, np.arange(len(there)) - distance)


def line(values, there, offset, slope):
    ramp = np.linspace(-1, 1, len(there)) if len(there) > 1 else np.zeros(1)
    return values + offset + slope * ramp, there


def references(view):
    """The references of a view's operations, in order."""
    if isinstance(view, Chain):
        return [reference for _, step in view.steps for reference in references(step)]
    if isinstance(view, SeriesViews):
        return [time_crop, time_warp, scaling, jitter]
    if isinstance(view, SpectraViews):
        chosen = [shift, scaling, line, jitter]
        return [r for r, on in zip(chosen, [view.shift, view.scaling, view.slope, view.jitter], strict=True) if on]
    return {
        Jitter: lambda: [jitter],
        Scaling: lambda: [scaling],
        MagnitudeWarp: lambda: [magnitude_warp],
        TimeCrop: lambda: [time_crop],
        TimeWarp: lambda: [time_warp],
        Permutation: lambda: [permutation],
        TimeMask: lambda: [lambda v, m, *numbers: time_mask(v, m, *numbers, view.mask_rate, view.block)],
        FrequencyMask: lambda: [lambda v, m, *numbers: frequency_mask(v, m, *numbers, view.mask_rate)],
        Rotation: lambda: [lambda v, m, *numbers: rotation(v, m, *numbers, view.triples)],
    }[type(view)]()


def expected_view(view, spec, x, drawn):
    """One series after another: the part up to the last step that is there is changed, the padding stays."""
    out = np.zeros(x.shape)
    for i, row in enumerate(x.double().numpy()):
        values, mark = row[: spec.n_channels], row[-1] > 0 if spec.masked else np.ones(spec.length, dtype=bool)
        for reference, numbers in zip(references(view), drawn, strict=True):
            n = mark.nonzero()[0].max() + 1 if mark.any() else 1
            own = [u[i].double().numpy() for u in numbers]
            values, mark = reference(values[:, :n], mark[:n], *own)
            if not spec.masked:
                mark = np.ones(spec.length, dtype=bool)
            values = values * mark
        out[i, : spec.n_channels, : len(mark)] = values
        if spec.masked:
            out[i, -1, : len(mark)] = mark
    return out


@every
@every_masked
@pytest.mark.parametrize("length", LENGTHS)
def test_views_are_those_of_numpy_series_by_series(augmentation, masked, length):
    spec = spec_of(3, length, masked)
    x, (view, drawn) = series(spec), draw(augmentation, spec, 24)
    np.testing.assert_allclose(view.apply(x, drawn), expected_view(augmentation, spec, x, drawn), atol=2e-5)


@every
def test_padding_does_not_leak(augmentation):
    """With more padding behind every series, and the same numbers, the series are the same; the padding stays empty."""
    short, long = spec_of(3, 20, masked=True), spec_of(3, 33, masked=True)
    x = series(short)
    view, drawn = draw(augmentation, long, 24)
    first = [[u[..., : u.shape[-1] - 13] if u.shape[-1] >= 33 else u for u in numbers] for numbers in drawn]
    expected = draw(augmentation, short, 24)[0].apply(x, first)
    found = view.apply(torch.nn.functional.pad(x, (0, 13)), drawn)
    torch.testing.assert_close(found[..., :20], expected, atol=2e-5, rtol=0)
    assert not found[..., 20:].any()


@every
def test_mark_stays_a_mark(augmentation):
    """It is 0 or 1, values are 0 where it is 0, and no view is longer than its series."""
    spec = spec_of(3, 30, masked=True)
    x = series(spec, 200)
    view = bound(augmentation, spec)(x, x, seeded())
    mark = view[:, -1:]
    assert ((mark == 0) | (mark == 1)).all() and not (view[:, :-1] * (1 - mark)).any()
    times = torch.arange(1, 31)
    assert ((mark[:, 0] * times).amax(1) <= (x[:, -1] * times).amax(1)).all()
    assert mark[-1].all() or "Mask" in repr(augmentation), "a complete series stays complete"


@every
@every_masked
def test_shape_type_and_memory(augmentation, masked):
    spec = spec_of(3, 20, masked)
    for n, dtype in [(1, torch.float32), (5, torch.float64)]:
        x = series(spec, n).to(dtype)
        before = x.clone()
        view = bound(augmentation, spec)(x, x, seeded())
        assert view.shape == x.shape and view.dtype == dtype and view.isfinite().all()
        view += 1
        assert same(x, before)


@every
@every_masked
def test_same_generator_state_same_view(augmentation, masked):
    """In any memory layout; the component is not changed, and series do not depend on each other."""
    spec, generator = spec_of(3, 20, masked), seeded(3)
    x, component = series(spec), clone(augmentation)
    before, views, state = pickle.dumps(component), bound(component, spec), generator.get_state()
    first, second = views(x, x, generator), views(x, x, generator)
    generator.set_state(state)
    assert same(bound(augmentation, spec)(x.mT.contiguous().mT, x, generator), first)
    assert not same(first, second) and pickle.dumps(component) == before
    other = x.clone()
    other[::5] = series(spec, seed=7)[::5]
    kept = torch.arange(24) % 5 != 0
    torch.testing.assert_close(views(other, x, seeded(3))[kept], first[kept], atol=1e-5, rtol=0)
    if not masked:
        assert same(augmentation(x, x, seeded(3)), first), "unbound, the shape is that of x"


@every
def test_global_settings_do_not_matter_and_do_not_change(augmentation):
    """The global generator, the default dtype, the default device."""
    spec = spec_of(3, 20, masked=True)
    x = series(spec)
    expected = bound(augmentation, spec)(x, x, seeded())
    torch.manual_seed(7)
    before = torch.get_rng_state()
    for dtype, device in [(torch.float64, None), (torch.float32, "meta")]:
        generator = seeded()
        torch.set_default_dtype(dtype)
        torch.set_default_device(device)
        try:
            found = bound(augmentation, spec)(x, x, generator)
        finally:
            torch.set_default_dtype(torch.float32)
            torch.set_default_device(None)
        assert same(found, expected) and torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "augmentation",
    [
        Jitter(0),
        Scaling(0),
        MagnitudeWarp(0),
        TimeWarp(0),
        TimeCrop((1, 1)),
        Permutation(1),
        TimeMask(0),
        FrequencyMask(0),
        Rotation(degrees=0),
        SeriesViews(1, 0, 0, 0),
        SpectraViews(0, 0, 0, 0),
    ],
    ids=repr,
)
@every_masked
def test_nothing_to_do_is_the_identity(augmentation, masked):
    spec = spec_of(3, 20, masked)
    x = series(spec)
    view = bound(augmentation, spec)(x, x, seeded())
    assert same(view, x) and view.data_ptr() != x.data_ptr()


def test_amounts_are_as_said():
    """Standard deviations and shares that are drawn, and ranges."""
    spec, n = spec_of(3, 50, masked=False), 4_000
    assert draw(Jitter(0.3), spec, n)[1][0][0].std() == pytest.approx(0.3, rel=0.02)
    factors = draw(Scaling(0.2), spec, n)[1][0][0]
    assert factors.shape == (n, 3, 1) and factors.std() == pytest.approx(0.2, rel=0.05)
    assert factors.mean() == pytest.approx(1, abs=0.01)
    for warp in (MagnitudeWarp(0.2, 5), TimeWarp(0.2, 5)):
        knots = draw(warp, spec, n)[1][0][0]
        assert knots.shape == (n, 5) and knots.std() == pytest.approx(0.2, rel=0.05)
    share, place = draw(TimeCrop((0.5, 0.9)), spec, n)[1][0]
    assert share.min() == pytest.approx(0.5, abs=0.01) and share.max() == pytest.approx(0.9, abs=0.01)
    assert place.mean() == pytest.approx(0.5, abs=0.02)
    shift = draw(SpectraViews(shift=2), spec, n)[1][0][0]
    assert sorted(shift.unique().tolist()) == [-2, -1, 0, 1, 2]
    ones = torch.ones(n, 3, 50)
    for block in (0.0, 0.1, 0.33, 1.0):
        hidden = 1 - bound(TimeMask(0.25, block), spec)(ones, ones, seeded()).mean()
        assert hidden == pytest.approx(0.25, abs=0.02), "also at the ends"
    segments = bound(Permutation(4), spec)(torch.arange(50.0).expand(n, 3, 50), ones, seeded())
    n_cuts = (segments[:, 0].diff() != 1).sum(1)
    assert n_cuts.max() == 3 and (n_cuts == 0).sum() >= n / 4, "one segment is the series itself"


def test_steps_in_a_chain_are_joined():
    """Their draws are those of the steps one after another."""
    spec = spec_of(2, 30, masked=True)
    x, chain = series(spec), Chain([("crop", TimeCrop((0.75, 1.0))), ("warp", TimeWarp()), ("scale", Scaling())])
    joined, generator = bound(chain, spec), seeded()
    assert len(joined.steps) == 1
    numbers = [part for step in joined.steps[0][1].operations for part in step.draw_numbers(24, generator)]
    recipe = draw(SeriesViews(jitter=0), spec, 24)[1]
    assert all(map(same, numbers, (u for part in recipe for u in part)))
    mixed = bound(Chain([("crop", TimeCrop()), ("own", GaussianNoise()), ("mask", TimeMask())]), spec)
    assert len(mixed.steps) == 3
    x_a, x_b = make_views(bound(Pair(Identity(), chain), spec), x, x, seeded())
    assert same(x_a, x) and same(x_b, joined(x, x, seeded()))


@pytest.mark.parametrize(
    ("kind", "name", "values"),
    [
        *((kind, "scale", (-0.1, "0.3", None, np.nan, np.inf)) for kind in (Jitter, Scaling, MagnitudeWarp, TimeWarp)),
        *((kind, "n_knots", (1, 2.0, None)) for kind in (MagnitudeWarp, TimeWarp)),
        (TimeCrop, "scale", (0.5, None, (0.0, 1.0), (0.9, 0.5), (0.5, 1.1), (0.5,), ("a", "b"))),
        (Permutation, "max_segments", (0, 2.5, None, True)),
        *((kind, "mask_rate", (-0.1, 1.1, None, "all")) for kind in (TimeMask, FrequencyMask)),
        (TimeMask, "block", (-0.1, 1.1, None)),
        (Rotation, "degrees", (-1, 181, None)),
        (Rotation, "triples", (None, (), (0, 1, 2), ((0, 1),), ((0, 1, 1),), ((0, 1, 2), (2, 3, 4)), ((0, 1, -1),))),
        (SeriesViews, "min_scale", (0, 1.1, None)),
        *((SeriesViews, name, (-0.1, None, "no")) for name in ("time_warp", "scaling", "jitter")),
        *((SpectraViews, name, (-0.1, None, "no")) for name in ("offset", "slope", "scaling", "jitter")),
        (SpectraViews, "shift", (-1, 0.5, None)),
    ],
)
def test_wrong_parameters_are_refused(kind, name, values):
    assert kind().check()
    for value in values:
        with pytest.raises(ValueError, match=f"'{name}' parameter of {kind.__name__}"):
            kind(**{name: value}).check()


def test_missing_channels_are_refused():
    with pytest.raises(ValueError, match="'triples' parameter of Rotation names the channel 5, but series have 3"):
        bound(Rotation(((3, 4, 5),)), spec_of(3, 20, masked=True))


@every
def test_other_samples_are_refused(augmentation):
    name = "TimeCrop" if isinstance(augmentation, Chain) else type(augmentation).__name__
    with pytest.raises(ValueError, match=f"{name} makes views of time series"):
        bound(augmentation, image_spec((3, 8, 8)))


def halve_the_end(x, data, generator):
    """A user's view, which changes the mark: the last step becomes missing, and others a little less there."""
    return torch.cat([x[:, :-1] + 1, 0.9 * x[:, -1:] * (torch.arange(x.shape[2]) < x.shape[2] - 1)], dim=1)


@pytest.mark.parametrize(
    "augmentation",
    [
        GaussianNoise(),
        Mixup(),
        Masking(),
        MarginalCorruption(),
        ComplementaryColumns(),
        halve_the_end,
        Chain([("noise", GaussianNoise()), ("crop", TimeCrop())]),
        Pair(Identity(), Masking()),
    ],
    ids=lambda augmentation: getattr(augmentation, "__name__", None) or str(augmentation),
)
def test_views_that_know_no_mark_keep_it(augmentation):
    spec = spec_of(2, 20, masked=True)
    x = series(spec)
    for view in make_views(bound(augmentation, spec), x, series(spec, seed=2), seeded()):
        mark = view[:, -1:]
        assert ((mark == 0) | (mark == 1)).all() and not view[:, :-1][(mark == 0).expand(-1, 2, -1)].any()
        if augmentation is halve_the_end:
            assert torch.equal(mark[..., :-1], x[:, -1:, :-1]) and not mark[..., -1].any()
        elif not isinstance(augmentation, Chain):
            assert torch.equal(mark, x[:, -1:])


@every
def test_clone_and_pickle(augmentation):
    for copy in (clone(augmentation), pickle.loads(pickle.dumps(augmentation))):
        assert copy is not augmentation and repr(copy) == repr(augmentation)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that CUDA can use")
@every
@every_masked
def test_gpu_makes_the_views_of_the_cpu(augmentation, masked):
    """From the same draws, made on the CPU; and the same views twice from draws of its own."""
    spec = spec_of(3, 40, masked)
    x, (view, drawn) = series(spec), draw(augmentation, spec, 24)
    chain = bind(Chain([("only", augmentation)]), spec, torch.device("cuda")).steps[0][1]
    found = chain.apply(x.cuda(), [[u.cuda() for u in numbers] for numbers in drawn])
    torch.testing.assert_close(found.cpu(), view.apply(x, drawn), atol=2e-5, rtol=0)
    first, second = (chain(x.cuda(), None, torch.Generator(device="cuda").manual_seed(0)) for _ in range(2))
    assert first.device.type == "cuda" and same(first, second)
