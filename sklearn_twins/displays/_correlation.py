"""Plot the cross-correlation of two views' embeddings, which the objective drives towards the identity."""

import numpy as np

from ..metrics._arrays import drop_incomplete
from ..metrics._correlation import unit_columns
from ._estimators import find_embedder
from ._style import get_axes


class CrossCorrelationDisplay:
    """Plot the correlations of all coordinates in one view with all coordinates in the other.

    The diagonal shows how well views agree, the other entries how much coordinates repeat each other. Training drives
    the matrix of the projections towards the identity. The matrix of the embedding, before the projector, gets only
    roughly close to it.

    Parameters
    ----------
    correlation : ndarray of shape (d, d)
        Correlations, in [-1, 1].

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure of the plot.
    im_ : matplotlib AxesImage
        Image of the correlations.

    See Also
    --------
    sklearn_twins.metrics.invariance : How well coordinates agree between views, as a number.
    sklearn_twins.metrics.redundancy : How much different coordinates correlate, as a number.

    References
    ----------
    Zbontar, Jing, Misra, LeCun and Deny, "Barlow Twins: Self-Supervised Learning via Redundancy
    Reduction", ICML 2021, eq. 2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_twins.displays import CrossCorrelationDisplay
    >>> z = np.random.default_rng(0).normal(size=(100, 4))
    >>> CrossCorrelationDisplay.from_projections(z, z).correlation.diagonal().round(6)
    array([1., 1., 1., 1.])
    """

    def __init__(self, correlation):
        self.correlation = correlation

    @classmethod
    def from_projections(cls, z_a, z_b, *, ax=None, n_coordinates=64):
        """Plot the correlations of two arrays.

        Parameters
        ----------
        z_a, z_b : array-like of shape (n, d)
            Projections or embeddings of two views of the same rows.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a new figure.
        n_coordinates : int, default=64
            Largest number of coordinates in the plot; the first ones are taken.

        Returns
        -------
        display : CrossCorrelationDisplay
            The display, which holds the matplotlib objects.
        """
        u_a, u_b = (unit_columns(np.asarray(z, dtype=np.float64)) for z in (z_a, z_b))
        return cls(u_a.T @ u_b).plot(ax=ax, n_coordinates=n_coordinates)

    @classmethod
    def from_estimator(cls, embedder, X, *, augmentation="own", random_state=0, ax=None, n_coordinates=64):
        """Plot the correlations between the embeddings of two views.

        Parameters
        ----------
        embedder : BarlowTwinsEmbedder
            Fitted embedder, or a fitted pipeline that holds one.
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            Rows, at least some hundreds: correlations over few rows are noise.
        augmentation : "own", "auto", str, component, torch.nn.Module or callable, default="own"
            Augmentation that makes the views, as in `transform_views`.
        random_state : int, RandomState instance or None, default=0
            Seed of the views.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a new figure.
        n_coordinates : int, default=64
            Largest number of coordinates in the plot; the first ones are taken.

        Returns
        -------
        display : CrossCorrelationDisplay
            The display, which holds the matplotlib objects.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        """
        embedder, X = find_embedder(embedder, X)
        views = drop_incomplete(embedder.transform_views(X, augmentation=augmentation, random_state=random_state))
        return cls.from_projections(views[:, 0], views[:, 1], ax=ax, n_coordinates=n_coordinates)

    def plot(self, *, ax=None, n_coordinates=64):
        """Draw the plot.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a new figure.
        n_coordinates : int, default=64
            Largest number of coordinates in the plot; the first ones are taken.

        Returns
        -------
        display : CrossCorrelationDisplay
            The display itself.
        """
        self.ax_ = ax = get_axes(ax)
        self.figure_, C = ax.figure, np.asarray(self.correlation)
        first = C[:n_coordinates, :n_coordinates]
        self.im_ = ax.imshow(first, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        off = np.abs(C[~np.eye(len(C), dtype=bool)])
        text = f"mean of the diagonal {C.diagonal().mean():.2f}"
        ax.set_title(text + (f"\nmean size off it {off.mean():.2f}" if len(off) else ""), fontsize="medium")
        some = f" (first {len(first)} of {len(C)})" if len(first) < len(C) else ""
        ax.set(xlabel=f"coordinate of view b{some}", ylabel="coordinate of view a")
        ax.figure.colorbar(self.im_, ax=ax, label="correlation")
        return self
