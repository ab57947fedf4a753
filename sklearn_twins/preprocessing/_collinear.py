"""How a table's continuous numbers hang together: how much they correlate, and along which axes they vary."""

import numpy as np

N_ROWS = 10_000  # looked at, at most
FEWEST_STEPS = 16  # of the 32 between a column's quantiles, that a continuous column has at least
MOST_COLUMNS = 512  # of which axes are worth a square matrix


def continuous_numbers(edges):
    """Which numbers take many values: those whose quantiles differ in half of the steps or more.

    Parameters
    ----------
    edges : tuple of tuples of float
        Quantiles of each number, see `SampleSpec`.

    Returns
    -------
    columns : tuple of int
    """
    if not edges:
        return ()
    steps = (np.diff(np.asarray(edges), axis=1) > 0).sum(axis=1)
    return tuple(np.flatnonzero(steps >= FEWEST_STEPS).tolist())


def learn_axes(samples, edges):
    """The principal axes of a table's continuous numbers, and how collinear they are.

    Parameters
    ----------
    samples : ndarray of shape (n, columns), float32
        Training rows; NaN, which counts as the middle of a column, where missing.
    edges : tuple of tuples of float
        Quantiles of each number.

    Returns
    -------
    continuous : tuple of int
        The columns of the axes; empty where there are fewer than two, or more than 512.
    axes : ndarray of shape (continuous, continuous), float32, or None
        One principal axis of their covariance in each column, those of most variance first.
    collinearity : float
        Mean squared correlation between two different ones.
    """
    columns = continuous_numbers(edges)
    if not 2 <= len(columns) <= MOST_COLUMNS:
        return (), None, 0.0
    rows = samples[:: max(1, len(samples) // N_ROWS)][:N_ROWS, columns].astype(np.float64)
    np.nan_to_num(rows, copy=False)
    covariance = np.cov(rows, rowvar=False)
    deviation = np.sqrt(np.maximum(covariance.diagonal(), np.finfo(np.float64).tiny))
    squares = np.square(covariance / np.outer(deviation, deviation))
    np.fill_diagonal(squares, 0.0)
    _, axes = np.linalg.eigh(covariance)
    c = len(columns)
    return columns, axes[:, ::-1].astype(np.float32), float(squares.sum() / (c * (c - 1)))
