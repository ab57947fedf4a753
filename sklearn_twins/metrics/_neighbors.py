"""Whether the neighbours of a row are the same in two views' embeddings."""

from numbers import Integral

import numpy as np
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, validate_params

from ._arrays import check_pair, unit_scale

BLOCK_ROWS = 512  # of distances to all rows, held at a time: 40 MB at 10,000 rows
GROUPS = 32  # of columns, per neighbour


def around_median(Z):
    """Moved to its median and scaled: distances lose least to rounding near 0, and a far row moves no median."""
    Z = unit_scale(Z)
    return unit_scale(Z - np.median(Z, axis=0))


def kth_smallest(values, k):
    """The k-th smallest value of each row, in about the time of reading them once.  # (rows, n) -> (rows, 1)

    The k-th smallest of the minima of groups of columns is at least as large; few values are below it, and only
    these are sorted. A partition of whole rows takes ten times as long.
    """
    n = values.shape[1]
    groups = np.arange(min(n, GROUPS * k)) * n // min(n, GROUPS * k)
    minima = np.minimum.reduceat(values, groups, axis=1)
    bound = np.partition(minima, k - 1, axis=1)[:, k - 1, None]
    below = values <= bound
    row, column = np.nonzero(below)
    few = values[row, column]
    few = few[np.lexsort((few, row))]
    counts = below.sum(1)
    return few[np.cumsum(counts) - counts + k - 1, None]


def neighbor_chances(Z, rows, n_neighbors):
    """Which rows may be among the nearest neighbours of `rows`, and with which chance, ties being broken at random.

    Distances that differ by rounding are ties. Rows below the k-th place's distance are neighbours for certain, those
    at it with the chance that is given.  # bool (rows, n), bool (rows, n), (rows,)
    """
    lengths = (Z**2).sum(1)
    squares = lengths[rows, None] + lengths - 2 * Z[rows] @ Z.T
    squares[np.arange(len(squares)), np.arange(rows.start, rows.stop)] = np.inf  # no row is its own neighbour
    furthest = kth_smallest(squares, n_neighbors)
    rounding = 4 * Z.shape[1] * np.finfo(np.float64).eps * (lengths[rows, None] + np.maximum(furthest, 0))
    possible, certain = squares <= furthest + rounding, squares < furthest - rounding
    n_possible, n_certain = possible.sum(1), certain.sum(1)
    return possible, certain, (n_neighbors - n_certain) / (n_possible - n_certain)


def n_common(Z_a, Z_b, rows, n_neighbors):
    """Expected number of neighbours that `rows` have in common, summed over them."""
    possible_a, certain_a, chance_a = neighbor_chances(Z_a, rows, n_neighbors)
    possible_b, certain_b, chance_b = neighbor_chances(Z_b, rows, n_neighbors)
    row, column = np.nonzero(possible_a & possible_b)
    in_a = np.where(certain_a[row, column], 1, chance_a[row])
    in_b = np.where(certain_b[row, column], 1, chance_b[row])
    return (in_a * in_b).sum()


@validate_params(
    {"n_neighbors": [Interval(Integral, 1, None, closed="left")], "normalize": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def neighbor_agreement(Z_a, Z_b, n_neighbors=10, normalize=False):
    """Share of a row's nearest neighbours that two views' embeddings have in common.

    ``mean_i |N_a(i) & N_b(i)| / k``, N_a(i) the k rows nearest to row i in Z_a by Euclidean distance, itself left out,
    and N_b(i) those in Z_b. Higher is better.

    Parameters
    ----------
    Z_a, Z_b : array-like of shape (n, d_a) and (n, d_b)
        Embeddings of two views of the same rows. Their widths may differ.
    n_neighbors : int, default=10
        The k of the formula, fewer than there are rows.
    normalize : bool, default=False
        Rescale so that chance is 0: ``(share - c) / (1 - c)`` with ``c = k / (n - 1)``, so that numbers of rows can
        be compared.

    Returns
    -------
    share : float
        In [0, 1]: 1 if all neighbours are the same, k / (n - 1) expected of unrelated views. If normalised, 0 is
        expected of these, and 0 is given where all other rows are neighbours.

    Raises
    ------
    ValueError
        Numbers of rows differ or are not above `n_neighbors`, an array is not 2-D or has values that are not finite.

    Notes
    -----
    Ties at the k-th place are broken at random, independently in both views, and the share is its mean over the
    outcomes. So a constant embedding has k / (n - 1), chance, and not 1; and nothing depends on the order of rows.

    All distances are computed, in O(n^2 d); blocks of 512 rows against all are held at a time. Shift, scale and
    rotation of either view do not matter.

    Examples
    --------
    >>> from sklearn_twins.metrics import neighbor_agreement
    >>> neighbor_agreement([[0], [1], [5], [6]], [[0], [2], [40], [43]], n_neighbors=1)
    1.0
    """
    Z_a, Z_b = check_pair(Z_a, Z_b, same_width=False)
    n = len(Z_a)
    if n_neighbors >= n:
        raise ValueError(f"n_neighbors must be below the number of rows, {n}, got {n_neighbors}. Choose a smaller one.")
    Z_a, Z_b = around_median(Z_a), around_median(Z_b)
    common = sum(n_common(Z_a, Z_b, rows, n_neighbors) for rows in gen_batches(n, BLOCK_ROWS))
    share = float(common / (n * n_neighbors))
    if not normalize:
        return share
    chance = n_neighbors / (n - 1)
    return (share - chance) / (1 - chance) if chance < 1 else 0.0
