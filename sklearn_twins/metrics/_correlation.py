"""Invariance and redundancy: the Barlow Twins terms of an embedding, averaged and without sampling noise."""

import numpy as np
from sklearn.utils._param_validation import validate_params

from ._arrays import centered, check_pair, unit_scale


def unit_columns(Z):
    """Centre each column and divide it by its length, so that products are correlations; constant columns become 0."""
    Z = centered(unit_scale(Z))
    largest = np.abs(Z).max(0)
    Z = Z / np.where(largest > 0, largest, 1)
    length = np.sqrt((Z**2).sum(0))
    return Z / np.where(length > 0, length, 1)


def squared_norm(U_a, U_b):
    """Sum the squares of ``C = U_a' U_b``, by d x d or n x n matrices, whichever are smaller."""
    n, d = U_a.shape
    if d <= n:
        return ((U_a.T @ U_b) ** 2).sum()
    return ((U_a @ U_a.T) * (U_b @ U_b.T)).sum()


def invariance(Z_a, Z_b):
    """Measure how far each coordinate of an embedding is from agreeing between two views.

    ``mean_i (1 - C_ii)^2``, where C_ii is the correlation of coordinate i in Z_a with coordinate i in Z_b. Lower is
    better. It is a mean, so that embeddings of different widths can be compared; the objective has the sum.

    Parameters
    ----------
    Z_a, Z_b : array-like of shape (n, d)
        Embeddings of two views of the same rows.

    Returns
    -------
    disagreement : float
        In [0, 4]: 0 if views agree up to the scale and offset of each coordinate, about 1 if they are unrelated (on
        average exactly ``1 + 1 / (n - 1)``). A coordinate that is constant in a view has C_ii = 0, so that a constant
        embedding has 1, as a single row has.

    Raises
    ------
    ValueError
        If shapes differ, or an array is not 2-D, is empty or has values that are not finite.

    See Also
    --------
    redundancy : How much different coordinates correlate.

    Notes
    -----
    Correlations are Pearson's: unlike in `objectives.cross_correlation`, nothing is added to the variances. There is
    no noise to subtract, since views that agree have C_ii = 1 in any sample. Offset and positive scale of a coordinate
    do not change the result, in either view; a rotation does.

    References
    ----------
    Zbontar, Jing, Misra, LeCun and Deny, "Barlow Twins: Self-Supervised Learning via Redundancy
    Reduction", ICML 2021, eq. 1, first term.

    Examples
    --------
    >>> from sklearn_twins.metrics import invariance
    >>> round(invariance([[1, 7], [2, 7], [3, 7]], [[10, 1], [20, 2], [30, 3]]), 6)
    0.5
    """
    U_a, U_b = (unit_columns(Z) for Z in check_pair(Z_a, Z_b))
    return float(((1 - (U_a * U_b).sum(0)) ** 2).mean())


@validate_params({"normalize": ["boolean"]}, prefer_skip_nested_validation=True)
def redundancy(Z_a, Z_b, normalize=False):
    """Measure how much different coordinates of two views' embeddings correlate, beyond chance.

    ``sum_{i != j} C_ij^2 - m / (n - 1)``, where C_ij is the correlation of coordinate i in Z_a with coordinate j in
    Z_b, and m the number of pairs i != j without a constant coordinate, usually d (d - 1). Lower is better.

    Parameters
    ----------
    Z_a, Z_b : array-like of shape (n, d)
        Embeddings of two views of the same rows.
    normalize : bool, default=False
        Divide by d (d - 1). Embeddings of different widths can then be compared.

    Returns
    -------
    excess : float
        0 on average for independent coordinates; by chance it falls below 0, by at most m / (n - 1). 0 for a constant
        embedding, a single row or a single coordinate. The normalised value is at most 1 - 1 / (n - 1).

    Raises
    ------
    ValueError
        If shapes differ, or an array is not 2-D, is empty or has values that are not finite.

    See Also
    --------
    invariance : How well each coordinate agrees between views.

    Notes
    -----
    The noise floor m / (n - 1) is exact if coordinates are independent and rows are independent and identically
    distributed, for any distribution: all orders of one coordinate are then equally likely. For centred a and b of
    length 1 and a random order p, ``E[b_p(i)^2] = 1 / n`` and ``E[b_p(i) b_p(j)] = -1 / (n (n - 1))``. With
    ``sum_i a_i = 0``, the mean of ``(sum_i a_i b_p(i))^2`` is ``1 / n + 1 / (n (n - 1)) = 1 / (n - 1)``. A pair with a
    constant coordinate has C_ij = 0, so no floor is subtracted for it.

    The noise of a pair that does correlate is smaller, so that up to 1 / (n - 1) too much is subtracted.

    Correlations are Pearson's: unlike in `objectives.cross_correlation`, nothing is added to the variances. Offset and
    scale of a coordinate do not change the result, in either view; a rotation does. The cost is O(n d min(n, d)).

    References
    ----------
    Zbontar, Jing, Misra, LeCun and Deny, "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", ICML
    2021, eq. 1, second term. The floor: Pitman, "Significance Tests Which May Be Applied to Samples from Any
    Populations. II. The Correlation Coefficient Test", Supplement to the Journal of the Royal Statistical
    Society 4, 1937.

    Examples
    --------
    >>> from sklearn_twins.metrics import redundancy
    >>> Z = [[1, 1], [2, 2], [3, 3]]  # two pairs of correlation 1, the floor is 2 / (3 - 1)
    >>> round(redundancy(Z, Z), 6)
    1.0
    """
    U_a, U_b = (unit_columns(Z) for Z in check_pair(Z_a, Z_b))
    n, d = U_a.shape
    varies_a, varies_b = U_a.any(0), U_b.any(0)
    n_pairs = int(varies_a.sum()) * int(varies_b.sum()) - int((varies_a & varies_b).sum())
    if n_pairs == 0:
        return 0.0
    off_diagonal = squared_norm(U_a, U_b) - ((U_a * U_b).sum(0) ** 2).sum()
    excess = float(off_diagonal - n_pairs / (n - 1))
    return excess / (d * (d - 1)) if normalize else excess
