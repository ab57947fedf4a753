"""Spread labels over a graph of nearest neighbours, and align classes with given shares."""

import numpy as np
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

N_DIRECTIONS = 64
ROWS_PER_DIRECTION = 10  # at least: in as many directions as there are rows, whitened rows have one distance
LEAST_SCALE = 1e-3  # of a direction, relative to the largest one's
N_NEIGHBORS = 10
MAX_ROWS = 10_000  # without label, in a graph; others take the mean of their nearest ones
KEPT = 0.99  # of what flows over the graph; the rest is the given labels again
N_FLOWS = 30
LEAST_FLOW = 1e-9  # of each class to a row, relative to the labels
N_ALIGNMENTS = 10
TINY = 1e-30  # in place of 0 in divisions


def spread_labels(labeled, codes, weights, others, n_classes):
    """Find the classes of rows by label spreading over a graph of nearest neighbours.

    Parameters
    ----------
    labeled : ndarray of shape (n_labeled, n_features)
        Features of labelled rows.
    codes : ndarray of shape (n_labeled,), int64
        Their classes.
    weights : ndarray of shape (n_labeled,)
        Their weights.
    others : ndarray of shape (n, n_features)
        Features of rows without label.
    n_classes : int
        Number of classes.

    Returns
    -------
    proba : ndarray of shape (n, n_classes)
        Probabilities of the classes for the rows without label.
    """
    has_all = len(others) <= MAX_ROWS
    some = others if has_all else others[np.random.default_rng(0).permutation(len(others))[:MAX_ROWS]]
    rows, others = whiten(np.concatenate([labeled, some]), others)
    finder = NearestNeighbors(n_neighbors=min(N_NEIGHBORS, len(rows) - 1)).fit(rows)
    graph = make_graph(*finder.kneighbors())
    given = np.zeros((len(rows), n_classes))
    given[np.arange(len(codes)), codes] = weights / weights.mean()
    flow = given
    for _ in range(N_FLOWS):
        flow = KEPT * (graph @ flow) + (1 - KEPT) * given
    proba = (flow + LEAST_FLOW) / (flow + LEAST_FLOW).sum(axis=1, keepdims=True)
    return proba[len(codes) :] if has_all else proba[finder.kneighbors(others, return_distance=False)].mean(axis=1)


def whiten(rows, others):
    """Scale the rows' main directions to equal variance, and each row to length 1; and other rows as these.

    Neighbours found this way share their class more often than in the embedding itself, whose first directions outweigh
    all others.

    Shape
    -----
    (n, n_features), (n_others, n_features) -> (n, n_directions), (n_others, n_directions), float32
    """
    mean = rows.mean(axis=0, dtype=np.float64)
    variances, directions = np.linalg.eigh(np.cov(rows - mean, rowvar=False, ddof=0).reshape(len(mean), -1))
    n_directions = min(N_DIRECTIONS, -(-len(rows) // ROWS_PER_DIRECTION))
    scales = np.sqrt(variances[::-1].clip(min=0))[:n_directions]
    found = []
    for some in (rows, others):
        projected = (some - mean) @ directions[:, ::-1][:, :n_directions]
        projected /= np.maximum(scales, LEAST_SCALE * scales[0] + TINY)
        length = np.linalg.norm(projected, axis=1, keepdims=True)
        found.append((projected / np.maximum(length, TINY)).astype(np.float32))
    return found


def make_graph(distances, neighbors):
    """Symmetric normalised weights of edges, which fall with the distance relative to the farthest neighbour's.

    Shape
    -----
    distances, neighbors : (n, n_neighbors); returns (n, n), sparse
    """
    n, n_neighbors = neighbors.shape
    weights = np.exp(-np.square(distances / np.maximum(distances[:, -1:], TINY)))
    rows = np.repeat(np.arange(n), n_neighbors)
    graph = sparse.csr_array((weights.ravel(), (rows, neighbors.ravel())), shape=(n, n))
    graph = graph.maximum(graph.T)
    scale = sparse.diags_array(1 / np.sqrt(graph.sum(axis=1)))
    return scale @ graph @ scale


def align(proba, shares):
    """Scale the classes' probabilities such that their means over rows move towards given shares.

    They come to the geometric mean of these shares and their own: in full, the alignment would cost accuracy where
    labels are drawn in equal numbers from classes of unequal size.

    Parameters
    ----------
    proba : ndarray of shape (n, n_classes)
        Positive numbers.
    shares : ndarray of shape (n_classes,)
        Shares; they sum to 1.

    Returns
    -------
    proba : ndarray of shape (n, n_classes)
        The rows sum to 1.
    """
    proba = proba / proba.sum(axis=1, keepdims=True)
    shares = np.sqrt(shares * proba.mean(axis=0))
    shares /= shares.sum()
    for _ in range(N_ALIGNMENTS):
        proba = proba * (shares / np.maximum(proba.mean(axis=0), TINY))
        proba /= proba.sum(axis=1, keepdims=True)
    return proba
