"""The default views: their steps for each kind of images, and the paper's pair."""

import pytest
import torch
from builders import bound, byte_images, image_spec, images, seeded

from sklearn_twins.augmentations import (
    Chain,
    ColorJitter,
    GaussianBlur,
    Grayscale,
    HorizontalFlip,
    ImageViews,
    Pair,
    RandomResizedCrop,
    Solarize,
    barlow_twins_pair,
    make_views,
)


def test_recipe_is_a_chain_of_its_components():
    x, spec = images(30, (3, 112, 112)), image_spec((3, 112, 112))
    chain = Chain(
        [
            ("crop", RandomResizedCrop((0.2, 1.0))),
            ("flip", HorizontalFlip()),
            ("jitter", ColorJitter(0.4, 0.4, 0.2, 0.1, 0.8)),
            ("gray", Grayscale(0.2)),
            ("blur", GaussianBlur((0.05, 1.0), 0.5)),
            ("solarize", Solarize(0.5, 0.1)),
        ]
    )
    expected = bound(chain, spec)(x, x, seeded())
    assert torch.equal(ImageViews()(x, x, seeded()), expected)
    assert torch.equal(bound(ImageViews(), spec)(x, x, seeded()), expected)


@pytest.mark.parametrize(
    ("shape", "params", "expected"),
    [
        ((3, 224, 224), {}, 6),
        ((3, 56, 56), {}, 6),
        ((3, 55, 55), {}, 5),  # no blur
        ((3, 224, 32), {}, 5),
        ((4, 64, 64), {}, 6),
        ((1, 64, 64), {}, 5),  # no gray
        ((1, 28, 28), {}, 4),
        ((10, 64, 64), {}, 4),  # no gray, not solarized
        ((2, 32, 32), {}, 3),
        *(((3, 64, 64), {name: 0}, 5) for name in ("flip", "jitter", "grayscale", "blur", "solarize")),
        ((3, 64, 64), {"flip": 0, "jitter": 0, "grayscale": 0, "blur": 0, "solarize": 0}, 1),
    ],
)
def test_steps_that_do_not_fit_or_are_not_wanted_are_left_out(shape, params, expected):
    assert len(bound(ImageViews(**params), image_spec(shape)).operations) == expected


def test_strength_of_jitter():
    """Half the strength moves images half as far."""
    x = torch.rand(200, 3, 16, 16, generator=seeded(1))
    still = {"min_scale": 1, "flip": 0, "grayscale": 0, "solarize": 0}
    crop, half, whole, most = (ImageViews(jitter=j, **still)(x, x, seeded()) for j in (0, 0.5, 1.0, 5.0))
    moved = [(view - crop).abs().mean().item() for view in (half, whole, most)]
    assert moved[0] == pytest.approx(moved[1] / 2, rel=0.15) and moved[2] > 1.5 * moved[1]


def test_views_differ_and_are_intensities():
    x = byte_images(60, (3, 32, 32))
    x_a, x_b = make_views(ImageViews(), x, x, seeded())
    for view in (x_a, x_b):
        assert view.dtype == torch.float32 and view.min() >= 0 and view.max() <= 1 + 1e-6
    assert ((x_a - x_b).flatten(1).abs().mean(1) > 1e-3).all()


def test_papers_pair():
    pair = barlow_twins_pair()
    assert isinstance(pair, Pair) and pair is not barlow_twins_pair() and pair.check() is pair
    assert (pair.view_a.blur, pair.view_a.solarize, pair.view_b.blur, pair.view_b.solarize) == (1.0, 0.0, 0.1, 0.2)
    assert barlow_twins_pair().set_params(view_b__jitter=0.5).view_b.jitter == 0.5
    x = images(40, (3, 64, 64))
    x_a, x_b = make_views(bound(pair, image_spec((3, 64, 64))), x, x, seeded())
    generator = seeded()
    assert torch.equal(x_a, ImageViews(0.08, blur=1.0, solarize=0.0)(x, x, generator))
    assert torch.equal(x_b, ImageViews(0.08, blur=0.1, solarize=0.2)(x, x, generator))
    rough = [(view[..., 1:] - view[..., :-1]).abs().mean() for view in (x_a, x_b)]
    assert rough[0] < 0.9 * rough[1], "the first view is blurred"
