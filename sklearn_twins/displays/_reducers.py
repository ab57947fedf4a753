"""Reduce an embedding to points in the plane."""

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE


def make_umap(n):
    """Make UMAP with two columns and a seed, for n rows.

    Raises
    ------
    ImportError
        If umap-learn is missing.
    """
    try:
        from umap import UMAP
    except ImportError as error:
        raise ImportError('reducer="umap" needs umap-learn. Install it: pip install umap-learn.') from error
    return UMAP(n_components=2, random_state=0, n_jobs=1, n_neighbors=min(15, n - 1))


REDUCERS = {
    "pca": lambda n: PCA(2, random_state=0),
    "tsne": lambda n: TSNE(2, perplexity=min(30, n / 3), random_state=0),
    "umap": make_umap,
}


def reduce_to_plane(Z, reducer):
    """Reduce an embedding to two columns.

    Parameters
    ----------
    Z : ndarray of shape (n, d)
        The embedding.
    reducer : str, transformer or None
        A name of `REDUCERS`; None is "pca".

    Returns
    -------
    points : ndarray of shape (n, 2)
    names : tuple of str
        Names of the two axes.

    Raises
    ------
    ValueError
        If the name is unknown, the transformer makes another number of columns, or there are too few rows.
    """
    reducer = "pca" if reducer is None else reducer
    if isinstance(reducer, str) and reducer not in REDUCERS:
        raise ValueError(f"reducer={reducer!r} is not known. Use one of {sorted(REDUCERS)}, or a transformer.")
    if len(Z) < 2:
        raise ValueError(f"X has {len(Z)} row(s). A map needs at least 2.")
    if Z.shape[1] == 1:  # a second column of zeros: there is nothing to reduce
        Z = np.column_stack([Z, np.zeros(len(Z), dtype=Z.dtype)])
    chosen = REDUCERS[reducer](len(Z)) if isinstance(reducer, str) else clone(reducer)
    points = np.asarray(chosen.fit_transform(Z))
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"reducer={reducer!r} must make 2 columns, got shape {points.shape}. Set its n_components=2.")
    if not isinstance(chosen, PCA):
        return points, ("first coordinate", "second coordinate")
    shares = np.nan_to_num(chosen.explained_variance_ratio_)
    return points, tuple(f"component {i + 1} ({share:.0%})" for i, share in enumerate(shares))
