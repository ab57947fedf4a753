"""Plot a map of an embedding: rows as points, coloured by their labels."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from ._estimators import find_embedder, path_to_embedder
from ._labels import Labels
from ._reducers import reduce_to_plane
from ._style import COLORS, GREY, MARKERS, get_axes

MOST_SHOWN = 24  # classes in the legend
MIN_POINTS = 50  # with fewer, no point is left out of the view
MARGIN = 1.0  # distance from the middle 98 % of the points at which others are left out, in widths of that middle


class EmbeddingDisplay:
    """Plot the rows of an embedding as points in the plane.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Positions of the points.
    y : array-like of shape (n,) or None, default=None
        Labels or numbers that colour the points. Rows without a label (NaN, None, or -1 among classes) are grey. The
        name of a pandas or polars Series is shown with the colours.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure of the plot.
    scatters_ : list of matplotlib PathCollection
        One for the rows without a label, if there are any; then one for each class, or a single one if `y` is None or
        holds continuous numbers.

    See Also
    --------
    SpectrumDisplay : How many directions the embedding uses; the map shows two.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_twins import BarlowTwinsEmbedder
    >>> from sklearn_twins.displays import EmbeddingDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> embedder = BarlowTwinsEmbedder(max_epochs=3, random_state=0).fit(X)
    >>> len(EmbeddingDisplay.from_estimator(embedder, X, y).scatters_)
    3
    """

    def __init__(self, points, y=None):
        self.points = points
        self.y = y

    @classmethod
    def from_estimator(cls, embedder, X, y=None, *, reducer=None, ax=None):
        """Plot the embedding of rows.

        Parameters
        ----------
        embedder : BarlowTwinsEmbedder
            Fitted embedder, or a fitted pipeline or search that holds one: the plot shows the embedding, without the
            columns that `passthrough` adds. Or any other fitted transformer, whose output it shows.
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            Rows.
        y : array-like of shape (n,) or None, default=None
            Labels or numbers that colour the points; see `EmbeddingDisplay`.
        reducer : {"pca", "tsne", "umap"}, transformer or None, default=None
            How the embedding is reduced to two columns. A transformer is cloned. "umap" needs the package umap-learn.
            None is "pca", whose axes show the shares of the variance.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        display : EmbeddingDisplay
            The display, which holds the matplotlib objects.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        ValueError
            If the reducer does not make two columns, or `y` has another length than X.
        ImportError
            If umap-learn is missing.
        """
        Z = embed(embedder, X)
        if y is not None:
            check_consistent_length(Z, y)
        points, names = reduce_to_plane(Z, reducer)
        display = cls(points, y).plot(ax=ax)
        display.ax_.set(xlabel=names[0], ylabel=names[1])
        return display

    def plot(self, *, ax=None, size=None):
        """Draw the plot.

        Points that are far away from all others are left out of the view, and counted in the title.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a new figure.
        size : float or None, default=None
            Area of a point, in points squared. None makes it smaller for more points.

        Returns
        -------
        display : EmbeddingDisplay
            The display itself.
        """
        self.ax_ = ax = get_axes(ax)
        self.figure_, self.scatters_ = ax.figure, []
        points = np.asarray(self.points, dtype=float)
        self._size = float(np.clip(20_000 / max(len(points), 1), 2, 30)) if size is None else size
        if self.y is None:
            self._scatter(points, color=COLORS[0])
        else:
            self._plot_labels(points, Labels.read(self.y))
        n_outside = set_robust_limits(ax, points)
        if n_outside:
            ax.set_title(f"{n_outside:,} of {len(points):,} points are outside", fontsize="medium")
        ax.set(xlabel="first coordinate", ylabel="second coordinate", xticks=[], yticks=[])
        return self

    def _plot_labels(self, points, labels):
        ax = self.ax_
        if labels.missing.any():
            self._scatter(points[labels.missing], color=GREY, label="unlabelled")
        if labels.continuous:
            colored = self._scatter(points[~labels.missing], c=labels.values, cmap="viridis")
            ax.figure.colorbar(colored, ax=ax, label=labels.name)
        for i, (label, rows) in enumerate(labels.classes()):
            marker = MARKERS[(i // len(COLORS)) % len(MARKERS)]
            self._scatter(points[rows], color=COLORS[i % len(COLORS)], marker=marker, label=str(label) or "''")
        handles, _ = ax.get_legend_handles_labels()
        if handles:
            place = {"loc": "upper left", "bbox_to_anchor": (1, 1.02), "ncols": -(-min(len(handles), MOST_SHOWN) // 12)}
            if labels.continuous:
                place = {"loc": "best"}
            style = {"markerscale": max(1, np.sqrt(25 / self._size)), "fontsize": "small", "handletextpad": 0.2}
            title = None if labels.continuous else labels.name
            if len(handles) > MOST_SHOWN:  # a longer legend leaves no room for the plot
                title = f"{title or 'classes'}: {MOST_SHOWN} of {len(handles)}"
            ax.legend(handles=handles[:MOST_SHOWN], title=title, title_fontsize="small", **style, **place)

    def _scatter(self, points, **style):
        x, y = points.T
        self.scatters_.append(self.ax_.scatter(x, y, s=self._size, linewidths=0, **style))
        return self.scatters_[-1]


def embed(estimator, X):
    """Embed rows: by the embedder in an estimator, without the columns next to it; or by any other transformer.

    Returns
    -------
    Z : ndarray of shape (n, d)
    """
    path = path_to_embedder(estimator)
    ends_behind = path and isinstance(estimator, Pipeline) and hasattr(estimator, "transform")
    if path is None or (ends_behind and path_to_embedder(estimator.steps[-1][1]) is None):
        check_is_fitted(estimator)
        return np.asarray(estimator.transform(X))
    embedder, X = find_embedder(estimator, X)
    return np.ascontiguousarray(np.asarray(embedder.transform(X))[:, embedder._output.is_learnt])


def set_robust_limits(ax, points):
    """Leave points out of the view that are far from the middle 98 % in x or y.

    Returns
    -------
    n_outside : int
        Number of points left out.
    """
    finite = points[np.isfinite(points).all(1)]
    if len(finite) < MIN_POINTS:
        return 0
    low, high = np.quantile(finite, [0.01, 0.99], axis=0)
    margin = (high - low) * MARGIN
    low, high = np.maximum(low - margin, finite.min(0)), np.minimum(high + margin, finite.max(0))
    outside = ((finite < low) | (finite > high)).any(1)
    if outside.any():
        inside = finite[~outside]
        low, high = inside.min(0), inside.max(0)
        space = np.where(high > low, 0.05 * (high - low), 1.0)
        ax.set(xlim=(low[0] - space[0], high[0] + space[0]), ylim=(low[1] - space[1], high[1] + space[1]))
    return int(outside.sum())
