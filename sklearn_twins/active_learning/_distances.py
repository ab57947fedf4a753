"""Distances between rows, in blocks, and clusters of rows."""

import warnings

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches
from threadpoolctl import threadpool_limits

BLOCK_ROWS = 256  # rows that are compared with all others at a time: 50 MB for 50,000 rows of float32
MOST_FOR_KMEANS = 50  # clusters; k-means on parts of the rows finds more of them, as in the code of TypiClust's authors
MINI_BATCH = 5_000  # rows


def find_clusters(X, n_clusters, random_state):
    """Cluster rows by k-means, in one thread, so that the result does not depend on the number of threads.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows.
    n_clusters : int
        Number of clusters.
    random_state : RandomState
        Generator of the start.

    Returns
    -------
    clusters : ndarray of shape (n,), int
        Number of each row's cluster. There are fewer than `n_clusters` if fewer rows differ.
    """
    n_clusters = min(n_clusters, len(X))
    if n_clusters <= MOST_FOR_KMEANS:
        model = KMeans(n_clusters, n_init=1, random_state=random_state)
    else:
        model = MiniBatchKMeans(n_clusters, n_init=1, batch_size=MINI_BATCH, random_state=random_state)
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than clusters are no fault
        return model.fit(X).labels_


def squared_distances(A, B):
    """Squared distance of each row of A to the same row of B, or to the only one: exactly 0 for equal rows.

    Shape
    -----
    A : (n, d); B : (n, d) or (1, d); returns (n,), float64
    """
    squares = np.empty(len(A))
    for rows in gen_batches(len(A), BLOCK_ROWS):
        difference = (A[rows] - (B[rows] if len(B) > 1 else B)).astype(np.float64)
        squares[rows] = np.einsum("ij,ij->i", difference, difference)
    return squares


class HalfSquares:
    """Half the negative squared distances between rows, by one matrix product.

    They round by some ten times the type's precision, relative to the largest squared length.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows.
    dtype : type
        Of the product: float32 takes half the time of float64.
    """

    def __init__(self, X, dtype):
        centered = X - X.mean(axis=0)
        self.unit = float(abs(centered).max() or 1)  # of distances in the products
        centered = (centered / self.unit).astype(dtype)
        half, ones = 0.5 * np.einsum("ij,ij->i", centered, centered)[:, None], np.ones((len(X), 1), dtype=dtype)
        self.left, self.right = np.hstack([centered, -half, -ones]), np.hstack([centered, ones, half])

    def between(self, rows, others):
        """Compute them in units of the squared `unit`.  # returns (n_rows, n_others)"""
        return self.left[rows] @ self.right[others].T


class Balls(HalfSquares):
    """Balls of one radius around rows, whose members are found by matrix products in float32.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows.
    radius : float
        Radius; rows at this distance are outside, up to rounding.
    """

    def __init__(self, X, radius):
        super().__init__(X, np.float32)
        self.radius = radius / self.unit

    def contain(self, centers, rows, factor=1):
        """Whether balls around rows, `factor` times as large, contain others.  # returns (n_centers, n_rows), bool"""
        return self.between(centers, rows) > -0.5 * (factor * self.radius) ** 2

    def count(self, centers, rows):
        """Count the rows in each ball.  # returns (n_centers,), int64"""
        counts, others = np.empty(len(centers), dtype=np.int64), self.right[rows].T
        for block in gen_batches(len(centers), BLOCK_ROWS):
            inside = self.left[centers[block]] @ others > -0.5 * self.radius**2
            counts[block] = np.count_nonzero(inside, axis=1)
        return counts

    def count_all(self, wanted):
        """Count the wanted rows in the ball of every row; each pair of rows is compared once.

        Shape
        -----
        wanted : (n,), bool; returns (n,), int64
        """
        counts, n = np.zeros(len(wanted), dtype=np.int64), len(wanted)
        for block in gen_batches(n, BLOCK_ROWS):
            inside = self.contain(block, slice(block.start, n))
            counts[block] += np.count_nonzero(inside & wanted[block.start :], axis=1)
            later = inside[:, block.stop - block.start :]
            counts[block.stop :] += np.count_nonzero(later & wanted[block, None], axis=0)
        return counts
