"""How near a row's other view is, compared with other rows."""

import numpy as np

N_SCORED = 1_000  # rows
TINY = 1e-12  # least length of a projection


def score_retrieval(project, samples, spec):
    """Score how well the views of a row find each other.

    Parameters
    ----------
    project : callable
        ``project(samples, spec) -> projections`` of samples of one view.
    samples : ndarray of shape (n, values)
        Samples of all views; of more than `N_SCORED`, some are drawn.
    spec : MultiViewSpec
        Their spec.

    Returns
    -------
    score : float
        See `mean_retrieval`.

    Raises
    ------
    ValueError
        If fewer than two rows have two views.
    """
    if len(samples) > N_SCORED:
        samples = samples[np.random.RandomState(0).permutation(len(samples))[:N_SCORED]]
    projections = []
    for i, view in enumerate(spec.views):
        own = np.column_stack([samples[:, view.start : view.stop], spec.presence(samples)[:, i]])
        projections.append(project(own, spec.subset([view.name])))
    score = mean_retrieval(projections)
    if np.isnan(score):
        raise ValueError(f"X has {len(samples)} row(s), too few with two views. A score takes 2 rows or more.")
    return score


def mean_retrieval(projections):
    """Mean share of other rows that are farther away in another view, by the cosine, than the row itself.

    Compared with other scores, it ranked settings as accuracy does, see `benchmarks/natural_views.py --sections score`.

    Parameters
    ----------
    projections : list of ndarray of shape (n, projection_dim)
        One for each view, in a space that they share; NaN where a view is missing.

    Returns
    -------
    share : float
        Mean over ordered pairs of views that two rows or more have in common; NaN if there is no such pair.
    """
    unit = [Z / np.maximum(np.linalg.norm(Z, axis=1, keepdims=True), TINY) for Z in projections]
    shares = []
    for a, A in enumerate(unit):
        for b, B in enumerate(unit):
            rows = np.isfinite(A[:, 0]) & np.isfinite(B[:, 0])
            if a != b and rows.sum() > 1:
                similar = A[rows] @ B[rows].T
                own = np.diag(similar)[:, None]
                nearer = (similar > own).sum(1) + ((similar == own).sum(1) - 1) / 2  # rows as near count half
                shares.append(1 - nearer.mean() / (rows.sum() - 1))
    return float(np.mean(shares)) if shares else np.nan
