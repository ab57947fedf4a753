"""y, which embedders do not use: a warning if it looks like a second table."""

import warnings

import numpy as np
from scipy import sparse

N_LOOKED_AT = 1_000  # rows of y


def has_many_columns(y):
    """Whether y is more than labels: it has two columns or more, which are no indicators of classes.

    Parameters
    ----------
    y : object
        As the user passed it.

    Returns
    -------
    found : bool
    """
    if y is None or sparse.issparse(y):
        return False
    try:
        values = np.asarray(y)
    except (TypeError, ValueError, RuntimeError):  # lists of different lengths, tensors that NumPy cannot hold
        return False
    if values.ndim < 2 or values.shape[1] < 2:
        return False
    return values.dtype.kind == "O" or not np.isin(values[:N_LOOKED_AT], (0, 1)).all()


def warn_of_table(y):
    """Warn that y is not used, if it looks like a second table."""
    if has_many_columns(y):
        warnings.warn(
            f"y has the shape {np.asarray(y).shape} and is not used: an embedder learns from X. If y is a second table "
            "of the same rows, train on both with MultiViewEmbedder, or give both as one, numpy.hstack([X, y]); if it "
            "holds more rows, give unlabeled=y.",
            UserWarning,
            stacklevel=5,
        )
