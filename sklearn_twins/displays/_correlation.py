"""The cross-correlation of two views' embeddings, which the objective wants to be the identity."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..metrics._correlation import unit_columns
from ._style import axes_for


class CrossCorrelationDisplay:
    """Draw the correlations of all coordinates in one view with all coordinates in the other.

    The diagonal says how well views agree, what is off it how much coordinates repeat each other. Training drives the
    matrix of projections to the identity; that of the embedding, in front of the projector, follows from afar.

    Parameters
    ----------
    correlation : ndarray of shape (d, d)
        Correlations, in [-1, 1].

    Attributes
    ----------
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        The figure that these belong to.
    im_ : matplotlib AxesImage
        The picture.

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
        """Draw the correlations of two arrays.

        Parameters
        ----------
        z_a, z_b : array-like of shape (n, d)
            Projections or embeddings of two views of the same rows.
        ax : matplotlib Axes or None, default=None
            Where to draw; None for a figure of its own.
        n_coordinates : int, default=64
            How many of them are drawn at most, the first ones.

        Returns
        -------
        display : CrossCorrelationDisplay
            What has been drawn.
        """
        u_a, u_b = (unit_columns(np.asarray(z, dtype=np.float64)) for z in (z_a, z_b))
        return cls(u_a.T @ u_b).plot(ax=ax, n_coordinates=n_coordinates)

    @classmethod
    def from_estimator(cls, embedder, X, *, augmentation="own", random_state=0, ax=None, n_coordinates=64):
        """Draw the correlations of the embeddings of two views of rows.

        Parameters
        ----------
        embedder : BarlowTwinsEmbedder
            The fitted embedder.
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            Rows, some hundreds or more: correlations over few are noise.
        augmentation : "own", "auto", str, component, torch.nn.Module or callable, default="own"
            What makes the views, as in `transform_views`.
        random_state : int, RandomState instance or None, default=0
            Seed of the views.
        ax : matplotlib Axes or None, default=None
            Where to draw; None for a figure of its own.
        n_coordinates : int, default=64
            How many of them are drawn at most, the first ones.

        Returns
        -------
        display : CrossCorrelationDisplay
            What has been drawn.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        """
        check_is_fitted(embedder)
        views = embedder.transform_views(X, augmentation=augmentation, random_state=random_state)
        return cls.from_projections(views[:, 0], views[:, 1], ax=ax, n_coordinates=n_coordinates)

    def plot(self, *, ax=None, n_coordinates=64):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None for a figure of its own.
        n_coordinates : int, default=64
            How many of them are drawn at most, the first ones.

        Returns
        -------
        display : CrossCorrelationDisplay
            The display itself.
        """
        self.ax_ = ax = axes_for(ax)
        self.figure_, C = ax.figure, np.asarray(self.correlation)
        shown = C[:n_coordinates, :n_coordinates]
        self.im_ = ax.imshow(shown, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        off = np.abs(C[~np.eye(len(C), dtype=bool)])
        text = f"mean of the diagonal {C.diagonal().mean():.2f}"
        ax.set_title(text + (f"\nmean size off it {off.mean():.2f}" if len(off) else ""), fontsize="medium")
        some = f" (first {len(shown)} of {len(C)})" if len(shown) < len(C) else ""
        ax.set(xlabel=f"coordinate of view b{some}", ylabel="coordinate of view a")
        ax.figure.colorbar(self.im_, ax=ax, label="correlation")
        return self
