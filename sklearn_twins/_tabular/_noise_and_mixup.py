"""Views of rows with Gaussian noise added, or moved towards other rows (mixup)."""

from functools import partial
from numbers import Real

import torch
from sklearn.utils._param_validation import Interval

from .._parts._augmentation import Augmentation, move_towards, to_intensities


def gaussian_noise(x, data, generator, scale, n_numbers=None):
    """Add independent normal noise to all values, or only to the first `n_numbers` of a sample.

    Shape
    -----
    x : (batch, *sample_shape); data is not used; returns (batch, *sample_shape)
    """
    numbers = x[:, :n_numbers]
    noise = torch.randn(numbers.shape, generator=generator, device=x.device, dtype=x.dtype)
    moved = noise.mul_(scale).add_(numbers)
    return moved if n_numbers is None else torch.cat([moved, x[:, n_numbers:]], dim=1)


def mixup(x, data, generator, max_weight, n_numbers=None):
    """Move each row towards a random row; categories, behind the first `n_numbers`, are kept or replaced as a whole.

    Shape
    -----
    x : (batch, *sample_shape); data : (n, *sample_shape), possibly bytes; returns (batch, *sample_shape)
    """
    batch = x.shape[0]
    partners = torch.randint(data.shape[0], (batch,), generator=generator, device=x.device)
    t = torch.rand(batch, generator=generator, device=x.device, dtype=x.dtype).mul_(max_weight)
    t = t.reshape(batch, *[1] * (x.dim() - 1))
    return move_towards(x, to_intensities(data[partners]), t, n_numbers, generator)


class GaussianNoise(Augmentation):
    """Add independent normal noise to every number; categories are unchanged.

    Parameters
    ----------
    scale : float, default=0.1
        Standard deviation of the noise, in interquartile ranges of the column.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import GaussianNoise
    >>> x = torch.zeros(1000, 2)
    >>> view = GaussianNoise(scale=0.1)(x, x, torch.Generator().manual_seed(0))
    >>> round(view.std().item(), 1)
    0.1
    """

    _is_by_value = True

    _parameter_constraints: dict = {"scale": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, scale=0.1):
        self.scale = scale

    def __call__(self, x, data, generator):
        """Make one view.

        Shape
        -----
        x : (batch, *sample_shape); data is not used; returns (batch, *sample_shape)
        """
        return gaussian_noise(x, data, generator, self.scale)

    def _bound(self, spec, device):
        n = spec.n_interpolated
        return self if n is None else partial(gaussian_noise, scale=self.scale, n_numbers=n)


class Mixup(Augmentation):
    """Move each row part of the way towards a random training row.

    A view is ``(1 - t) x + t x'``, with one t per row, uniform in [0, `max_weight`]. Where the other row's value is
    missing, the row keeps its own. A category is replaced by the other row's with probability t.

    Parameters
    ----------
    max_weight : float, default=0.3
        Largest weight of the other row, in [0, 1].

    See Also
    --------
    sklearn_twins.objectives.MixedBarlowTwins : An objective that mixes rows and knows their weights.

    References
    ----------
    Verma, Luong, Kawaguchi, Pham and Le, "Towards Domain-Agnostic Contrastive Learning", ICML 2021,
    section 3 (mixup noise as the positive pair).

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import Mixup
    >>> x, data = torch.zeros(100, 2), torch.ones(50, 2)
    >>> view = Mixup(max_weight=0.3)(x, data, torch.Generator().manual_seed(0))
    >>> bool(((view >= 0) & (view <= 0.3)).all())
    True
    """

    _is_by_value = True

    _parameter_constraints: dict = {"max_weight": [Interval(Real, 0, 1, closed="both")]}

    def __init__(self, max_weight=0.3):
        self.max_weight = max_weight

    def __call__(self, x, data, generator):
        """Make one view.

        Shape
        -----
        x : (batch, *sample_shape); data : (n, *sample_shape); returns (batch, *sample_shape)
        """
        return mixup(x, data, generator, self.max_weight)

    def _bound(self, spec, device):
        n = spec.n_interpolated
        return self if n is None else partial(mixup, max_weight=self.max_weight, n_numbers=n)
