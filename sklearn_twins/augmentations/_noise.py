"""Views of rows moved a little: by Gaussian noise, or towards another row (mixup)."""

from numbers import Real

import torch
from sklearn.utils._param_validation import Interval

from .._components import Component


class GaussianNoise(Component):
    """Add independent normal noise to every value.

    Parameters
    ----------
    scale : float, default=0.1
        Standard deviation, in the units of the scaled columns (interquartile ranges).
    """

    _parameter_constraints: dict = {"scale": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, scale=0.1):
        self.scale = scale

    def __call__(self, x, data, generator):
        """Make one view.

        Shape
        -----
        x : (batch, *sample_shape); data is not used; returns (batch, *sample_shape)
        """
        noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        return noise.mul_(self.scale).add_(x)


class Mixup(Component):
    """Move each row a random part of the way towards a random training row.

    ``(1 - t) x + t x'`` with t uniform in [0, `max_weight`], one draw for each row. Where the other row's value
    is missing, the row keeps its own.

    Parameters
    ----------
    max_weight : float, default=0.3
        Largest weight of the other row, in [0, 1].

    References
    ----------
    Verma, Luong, Kawaguchi, Pham and Le, "Towards Domain-Agnostic Contrastive Learning", ICML 2021,
    section 3 (mixup noise as the positive pair).
    """

    _parameter_constraints: dict = {"max_weight": [Interval(Real, 0, 1, closed="both")]}

    def __init__(self, max_weight=0.3):
        self.max_weight = max_weight

    def __call__(self, x, data, generator):
        """Make one view.

        Shape
        -----
        x : (batch, *sample_shape); data : (n, *sample_shape); returns (batch, *sample_shape)
        """
        batch = x.shape[0]
        partners = torch.randint(data.shape[0], (batch,), generator=generator, device=x.device)
        t = torch.rand(batch, generator=generator, device=x.device, dtype=x.dtype).mul_(self.max_weight)
        t = t.reshape(batch, *[1] * (x.dim() - 1))
        partner = data[partners]  # (batch, *sample_shape)
        return torch.where(partner.isnan(), x, x * (1 - t) + partner * t)
