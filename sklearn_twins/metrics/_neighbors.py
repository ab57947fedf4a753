"""Whether a row has the same nearest neighbours in two views' embeddings."""

from numbers import Integral

import numpy as np
from scipy.sparse import csr_array
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, validate_params

from ._arrays import check_pair, unit_scale

BLOCK_ROWS = 512  # rows whose neighbours are compared at a time


def center_and_scale(Z):
    """Subtract the median and scale: distances round least near 0, and one far row does not move a median."""
    Z = unit_scale(Z)
    return unit_scale(Z - np.median(Z, axis=0))


def neighbor_chances(index, Z, rows, n_neighbors):
    """Chance of every row to be among the nearest neighbours of `rows` if ties at the last place are broken at random.

    Distances that differ by rounding are ties. More neighbours are searched until the ties end.

    Parameters
    ----------
    index : NearestNeighbors
        Fitted on `Z`.
    Z : ndarray of shape (n, d)
        Embedding.
    rows : slice
        Rows whose neighbours are searched.
    n_neighbors : int
        Number of neighbours, below n.

    Returns
    -------
    chances : csr_array of shape (n_rows, n)
        Each row sums to `n_neighbors`.
    """
    n, n_found = len(Z), n_neighbors + 2  # a row itself, and one more that shows whether there are ties
    own, lengths = np.arange(rows.start, rows.stop)[:, None], (Z[rows] ** 2).sum(1, keepdims=True)
    while True:
        n_found = min(n_found, n)
        distances, columns = index.kneighbors(Z[rows], n_found)
        squares = np.where(columns == own, np.inf, distances**2)  # no row is its own neighbour
        furthest = np.partition(squares, n_neighbors - 1)[:, n_neighbors - 1, None]
        rounding = 4 * Z.shape[1] * np.finfo(np.float64).eps * (lengths + furthest)
        possible = squares <= furthest + rounding
        if n_found == n or not (possible | (columns == own)).all(1).any():
            break
        n_found *= 4
    certain = squares < furthest - rounding
    n_certain, n_possible = certain.sum(1, keepdims=True), possible.sum(1, keepdims=True)
    chances = np.where(certain, 1.0, (n_neighbors - n_certain) / (n_possible - n_certain))
    row, found = np.nonzero(possible)
    return csr_array((chances[row, found], (row, columns[row, found])), shape=(len(columns), n))


@validate_params(
    {"n_neighbors": [Interval(Integral, 1, None, closed="left")], "normalize": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def neighbor_agreement(Z_a, Z_b, n_neighbors=10, normalize=False):
    """Measure which share of a row's nearest neighbours two views' embeddings have in common.

    ``mean_i |N_a(i) & N_b(i)| / k``, where N_a(i) are the k rows nearest to row i in Z_a by Euclidean distance, without
    row i itself, and N_b(i) those in Z_b. Higher is better.

    Parameters
    ----------
    Z_a, Z_b : array-like of shape (n, d_a) and (n, d_b)
        Embeddings of two views of the same rows. Their widths may differ.
    n_neighbors : int, default=10
        Number of neighbours, the k of the formula. It must be below the number of rows.
    normalize : bool, default=False
        Rescale so that chance is 0: ``(share - c) / (1 - c)`` with ``c = k / (n - 1)``. Values for different numbers
        of rows can then be compared.

    Returns
    -------
    share : float
        In [0, 1]: 1 if all neighbours are the same; unrelated views have k / (n - 1) on average, or 0 if normalised.
        If all other rows are neighbours, the normalised value is 0.

    Raises
    ------
    ValueError
        If the numbers of rows differ or are not above `n_neighbors`, or if an array is not 2-D or has values that are
        not finite.

    Notes
    -----
    Ties at the k-th place count as broken at random, independently in both views: the result is the mean over all
    outcomes. So a constant embedding has the value of chance, k / (n - 1), not 1, and the order of rows does not
    matter.

    The neighbours come from :class:`sklearn.neighbors.NearestNeighbors`, for 512 rows at a time. Shift, scale and
    rotation of either view do not change the result.

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
    pairs = [(NearestNeighbors().fit(Z), Z) for Z in (center_and_scale(Z_a), center_and_scale(Z_b))]
    n_common = 0.0
    for rows in gen_batches(n, BLOCK_ROWS):
        chances_a, chances_b = (neighbor_chances(index, Z, rows, n_neighbors) for index, Z in pairs)
        n_common += (chances_a * chances_b).sum()
    share = float(n_common / (n * n_neighbors))
    if not normalize:
        return share
    chance = n_neighbors / (n - 1)
    return (share - chance) / (1 - chance) if chance < 1 else 0.0
