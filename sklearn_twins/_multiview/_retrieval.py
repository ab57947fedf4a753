"""How often the nearest row in another view is the same row."""

import numpy as np


def mean_retrieval(projections):
    """Mean share of rows whose nearest row in another view, by the cosine, is the row itself.

    Parameters
    ----------
    projections : list of ndarray of shape (n, projection_dim)
        One for each view, in a space that they share; NaN where a view is missing.

    Returns
    -------
    share : float
        Mean over ordered pairs of views that two rows or more have in common; NaN if there is no such pair.
    """
    unit = [Z / np.linalg.norm(Z, axis=1, keepdims=True) for Z in projections]
    shares = []
    for a, A in enumerate(unit):
        for b, B in enumerate(unit):
            rows = np.isfinite(A[:, 0]) & np.isfinite(B[:, 0])
            if a != b and rows.sum() > 1:
                shares.append(((A[rows] @ B[rows].T).argmax(1) == np.arange(rows.sum())).mean())
    return float(np.mean(shares)) if shares else np.nan
