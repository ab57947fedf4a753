"""The Barlow Twins terms of an embedding, per coordinate or pair of them and without their sampling noise."""

import numpy as np
from sklearn.utils._param_validation import validate_params

from ._arrays import centered, check_pair, unit_scale


def unit_columns(Z):
    """Center each column and divide it by its length, so that products are correlations; a constant one is 0."""
    Z = centered(unit_scale(Z))
    largest = np.abs(Z).max(0)
    Z = Z / np.where(largest > 0, largest, 1)
    length = np.sqrt((Z**2).sum(0))
    return Z / np.where(length > 0, length, 1)


def squared_norm(U_a, U_b):
    """Sum of the squares of ``C = U_a' U_b``, from d x d or from n x n matrices, whichever are smaller."""
    n, d = U_a.shape
    if d <= n:
        return ((U_a.T @ U_b) ** 2).sum()
    return ((U_a @ U_a.T) * (U_b @ U_b.T)).sum()


def invariance(Z_a, Z_b):
    """Invariance: how well each coordinate of an embedding agrees between two views.

    ``mean_i (1 - C_ii)^2``, C_ii the correlation of coordinate i in Z_a with itself in Z_b. Lower is better. A
    mean, so that widths can be compared; the objective has the sum.

    Parameters
    ----------
    Z_a, Z_b : array-like of shape (n, d)
        Embeddings of two views of the same rows.

    Returns
    -------
    disagreement : float
        In [0, 4]: 0 if views agree up to the scale and offset of each coordinate, about 1 if they are unrelated
        (``1 + 1 / (n - 1)`` exactly, on average). A coordinate that is constant in a view has C_ii = 0, so that a
        constant embedding has 1, as has a single row.

    Raises
    ------
    ValueError
        Shapes differ, an array is not 2-D, is empty or has values that are not finite.

    See Also
    --------
    redundancy : How much different coordinates correlate.

    Notes
    -----
    Correlations are Pearson's: unlike `objectives.cross_correlation`, nothing is added to the variances. There is
    no noise to subtract: views that agree have C_ii = 1 in any sample. Offset and positive scale of a
    coordinate do not matter in either view; a rotation does.

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
    """Redundancy: how much different coordinates of two views' embeddings correlate, beyond chance.

    ``sum_{i != j} C_ij^2 - m / (n - 1)``, C_ij the correlation of coordinate i in Z_a with coordinate j in Z_b and m
    the number of pairs i != j of which neither is constant, d (d - 1) as a rule. Lower is better.

    Parameters
    ----------
    Z_a, Z_b : array-like of shape (n, d)
        Embeddings of two views of the same rows.
    normalize : bool, default=False
        Divide by d (d - 1): a mean over pairs, so that widths can be compared.

    Returns
    -------
    excess : float
        0 expected of independent coordinates; below 0 by chance, by m / (n - 1) at most. 0 for a constant embedding, a
        single row and a single coordinate. If normalised, 1 - 1 / (n - 1) is the most.

    Raises
    ------
    ValueError
        Shapes differ, an array is not 2-D, is empty or has values that are not finite.

    See Also
    --------
    invariance : How well each coordinate agrees between views.

    Notes
    -----
    The floor is exact for coordinates that are independent over independent, alike rows, whatever their
    distributions: all orders of one of them are then equally likely. For centered a and b of length 1 and a
    random order p, ``E[b_p(i)^2] = 1 / n`` and ``E[b_p(i) b_p(j)] = -1 / (n (n - 1))``, and with ``sum_i a_i = 0``
    the mean of ``(sum_i a_i b_p(i))^2`` is ``1 / n + 1 / (n (n - 1)) = 1 / (n - 1)``. A pair with a constant
    coordinate has C_ij = 0, so no floor is subtracted for it.

    Where a pair does correlate, its noise is smaller, and up to 1 / (n - 1) too much is subtracted.

    Correlations are Pearson's: unlike `objectives.cross_correlation`, nothing is added to the variances. Offset and
    scale of a coordinate do not matter in either view; a rotation does. O(n d min(n, d)).

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
