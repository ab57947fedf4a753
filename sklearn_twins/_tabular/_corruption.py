"""Views of table rows with some values replaced by those of other rows (SCARF) or hidden (masking)."""

import math
from functools import partial
from numbers import Real

import torch
from sklearn.utils._param_validation import Interval, StrOptions

from .._parts._augmentation import Augmentation, to_intensities

# A float32 uniform has 2^24 values, and a share `rate` of them picks the donor rows. Up to this number of rows divided
# by the rate, at least 256 of the values pick each donor; beyond it, the numbers are drawn in float64.
MAX_ROWS_FLOAT32 = 2**16


def choose_rate(n_columns):
    """Return the default corruption rate: 0.2 up to 20 columns, 0.3 from 40 columns, linear in between.

    With few columns, little identifies a row once many of them are changed. Compared on nine tables with 5 to 60
    columns, see docs/benchmarks/categories.md.
    """
    return min(0.3, max(0.2, 0.1 + 0.005 * n_columns))


def share_draws(spec, device):
    """Assign a random draw to each column of a sample, shared by all parts of one date.

    Returns
    -------
    n_draws : int
    draws : Tensor of shape (features,), int64
        Draw of each column. None instead of both if each column has its own.
    """
    if not getattr(spec, "sources", ()):  # samples of another kind have columns of their own
        return None
    order = {j: draw for draw, j in enumerate(sorted(set(spec.sources)))}
    return len(order), torch.tensor([order[j] for j in spec.sources], device=device)


def draw_uniform(x, draws, generator, dtype=torch.float32):
    """Draw a uniform number for each value, the same one for columns that share a draw.  # (batch, features)"""
    if draws is None:
        return torch.rand(x.shape, generator=generator, device=x.device, dtype=dtype)
    n_draws, index = draws
    return torch.rand((x.shape[0], n_draws), generator=generator, device=x.device, dtype=dtype).index_select(1, index)


def marginal_corruption(x, data, generator, rate, draws=None):
    """Replace each value, with probability `rate`, by the same column's value in a random row of `data`.

    One uniform number u per value makes both choices: the value is replaced if ``u < rate``, and ``u / rate``, which
    is then uniform in [0, 1), picks the row.

    Shape
    -----
    x : (batch, *sample_shape); data : (n, *sample_shape), possibly bytes; returns (batch, *sample_shape)
    """
    n = data.shape[0]
    if rate == 0:
        return x.clone()
    dtype = torch.float32 if n / rate <= MAX_ROWS_FLOAT32 else torch.float64
    u = draw_uniform(x, draws, generator, dtype)  # (batch, features)
    donors = (u * (n / rate)).long().clamp_(max=n - 1)  # (batch, features), rows of data
    return torch.where(u < rate, to_intensities(data.gather(0, donors)), x)


def masking(x, data, generator, rate, draws=None):
    """Replace each value, with probability `rate`, by 0.

    Shape
    -----
    x : (batch, *sample_shape); data is not used; returns (batch, *sample_shape)
    """
    return x.masked_fill(draw_uniform(x, draws, generator) < rate, 0.0)


class MarginalCorruption(Augmentation):
    """Replace random values by the same column's values in random training rows (SCARF).

    Replacements always occur in the data: a category is replaced by another row's category, a date as a whole by
    another row's date. A missing value is a value like any other.

    NOTE[DIFF]: SCARF corrupts a fixed number of columns per row; here each value is replaced independently, so the
    number varies around the same mean. SCARF also leaves one view unchanged: use
    ``Pair(Identity(), MarginalCorruption())`` for that.

    Parameters
    ----------
    corruption_rate : "auto" or float, default="auto"
        Probability that a value is replaced, in [0, 1]. "auto" is 0.2 for tables with up to 20 columns, 0.3 from 40
        columns, and linear in between.

    See Also
    --------
    Masking : Hide values instead of replacing them.
    Mixup : Move whole rows towards other rows.
    Pair : Use a different augmentation for each view.
    sklearn_twins.displays.ViewsDisplay : Show views.

    References
    ----------
    Bahri, Jiang, Tay and Metzler, "SCARF: Self-Supervised Contrastive Learning using Random Feature
    Corruption", ICLR 2022, section 3 and algorithm 1.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import MarginalCorruption
    >>> data = torch.tensor([[0.0, 10.0], [1.0, 11.0], [2.0, 12.0]])
    >>> view = MarginalCorruption(corruption_rate=0.5)(data, data, torch.Generator().manual_seed(0))
    >>> bool((view[:, 0] < 3).all() and (view[:, 1] >= 10).all())
    True
    """

    _is_by_value = _swaps_values = True

    _parameter_constraints: dict = {"corruption_rate": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="both")]}

    def __init__(self, corruption_rate="auto"):
        self.corruption_rate = corruption_rate

    def __call__(self, x, data, generator):
        """Make one view.

        Shape
        -----
        x : (batch, *sample_shape); data : (n, *sample_shape), possibly bytes; returns (batch, *sample_shape)
        """
        return marginal_corruption(x, data, generator, self._rate(math.prod(x.shape[1:])))

    def _bound(self, spec, device):
        draws = share_draws(spec, device)
        return self if draws is None else partial(marginal_corruption, rate=self._rate(draws[0]), draws=draws)

    def _rate(self, n_columns):
        return choose_rate(n_columns) if self.corruption_rate == "auto" else self.corruption_rate


class Masking(Augmentation):
    """Hide random values by replacing them with 0: a number's median, or the code of a missing category.

    Parameters
    ----------
    mask_rate : float, default=0.3
        Probability that a value is hidden, in [0, 1].

    See Also
    --------
    MarginalCorruption : Replace values by those of other rows instead.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import Masking
    >>> x = torch.ones(1000, 4)
    >>> view = Masking(mask_rate=0.3)(x, x, torch.Generator().manual_seed(0))
    >>> round((view == 0).float().mean().item(), 1)
    0.3
    """

    _is_by_value = True

    _parameter_constraints: dict = {"mask_rate": [Interval(Real, 0, 1, closed="both")]}

    def __init__(self, mask_rate=0.3):
        self.mask_rate = mask_rate

    def __call__(self, x, data, generator):
        """Make one view.

        Shape
        -----
        x : (batch, *sample_shape); data is not used; returns (batch, *sample_shape)
        """
        return masking(x, data, generator, self.mask_rate)

    def _bound(self, spec, device):
        draws = share_draws(spec, device)
        return self if draws is None else partial(masking, rate=self.mask_rate, draws=draws)
