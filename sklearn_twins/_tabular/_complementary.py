"""ComplementaryColumns: each view keeps the columns that the other one loses, for wide tables."""

from functools import partial
from numbers import Real

import torch
from sklearn.utils._param_validation import Interval

from .._parts._augmentation import Augmentation, to_intensities
from ._corruption import MAX_ROWS_FLOAT32, draw_uniform, share_draws


def complementary_views(x, partners, data, generator, overlap, draws=None):
    """Make two views: one uniform number u per value says which of them keeps it, and picks a donor for the other.

    The first view keeps values with ``u < (1 + overlap) / 2``, the second those with ``u >= (1 - overlap) / 2``. The
    others are replaced by the same column's value in a random row of `data`.

    Shape
    -----
    x, partners : (batch, features); data : (n, features); returns 2 x (batch, features)
    """
    n, lost = data.shape[0], (1 - overlap) / 2
    if not lost:
        return x.clone(), partners.clone()
    u = draw_uniform(x, draws, generator, torch.float32 if n / lost <= MAX_ROWS_FLOAT32 else torch.float64)

    def swapped(share):  # (batch, features), in [0, 1)
        donors = (share * (n / lost)).long().clamp_(min=0, max=n - 1)
        return to_intensities(data.gather(0, donors))

    return (
        torch.where(u < 1 - lost, x, swapped(u - (1 - lost))),
        torch.where(u >= lost, partners, swapped(u)),
    )


class ComplementaryColumns(Augmentation):
    """Keep a random half of a row's values in one view and the other half in the other view.

    The halves are drawn anew for each row. A value that a view loses is replaced by the same column's value in a random
    training row, as in `MarginalCorruption`. It suits wide tables, where half of the columns still tell which row it
    is; in narrow ones too little is left.

    Parameters
    ----------
    overlap : float, default=0.3
        Share of the values that both views keep, in [0, 1]. With 0, they have too little in common in most tables.

    See Also
    --------
    MarginalCorruption : Change both views independently.
    sklearn_twins.MultiViewEmbedder : Views that are known beforehand.

    References
    ----------
    Ucar, Hajiramezanali and Edwards, "SubTab: Subsetting Features of Tabular Data for Self-Supervised Representation
    Learning", NeurIPS 2021 (fixed subsets of columns).

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import ComplementaryColumns, make_views
    >>> x, data = torch.ones(100, 6), torch.zeros(50, 6)
    >>> a, b = make_views(ComplementaryColumns(overlap=0), x, data, torch.Generator().manual_seed(0))
    >>> bool((a + b == 1).all())
    True
    """

    makes_both_views = True  # so it cannot stand where one view is made
    _is_by_value = _swaps_values = True

    _parameter_constraints: dict = {"overlap": [Interval(Real, 0, 1, closed="both")]}

    def __init__(self, overlap=0.3):
        self.overlap = overlap

    def __call__(self, x, data, generator):
        """Make the first of two views.

        Shape
        -----
        x : (batch, features); data : (n, features); returns (batch, features)
        """
        return self.make_both(x, x, data, generator)[0]

    def make_both(self, x, partners, data, generator):
        """Make both views.

        Parameters
        ----------
        x : Tensor of shape (batch, features)
            Rows of the first view.
        partners : Tensor of shape (batch, features)
            Rows of the second view; the same, unless `fit` has groups.
        data : Tensor of shape (n, features)
            All training samples.
        generator : torch.Generator
            Source of all random numbers.

        Returns
        -------
        x_a, x_b : Tensors of shape (batch, features)
            The views.
        """
        return complementary_views(x, partners, data, generator, self.overlap)

    def _bound(self, spec, device):
        return BoundColumns(self.overlap, share_draws(spec, device))


class BoundColumns:
    """`ComplementaryColumns` for given samples, in which the parts of a date share their draws."""

    _is_by_value = _swaps_values = True

    def __init__(self, overlap, draws):
        self.make_both = partial(complementary_views, overlap=overlap, draws=draws)

    def __call__(self, x, data, generator):
        return self.make_both(x, x, data, generator)[0]
