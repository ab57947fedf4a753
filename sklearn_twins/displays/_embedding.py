"""Plot a map of an embedding: rows as points, coloured by their labels."""

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from ._style import COLORS, GREY, MARKERS, get_axes


class EmbeddingDisplay:
    """Plot the rows of an embedding as points in the plane.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Positions of the points.
    y : array-like of shape (n,) or None, default=None
        Labels or numbers that colour the points. Rows with label -1 have no label and are grey.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure of the plot.
    scatters_ : list of matplotlib PathCollection
        One for each class, or a single one if `y` is None or holds continuous numbers.

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
            Fitted embedder, or any other fitted transformer or pipeline.
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            Rows.
        y : array-like of shape (n,) or None, default=None
            Labels or numbers that colour the points.
        reducer : transformer or None, default=None
            Transformer that reduces the embedding to two columns, such as TSNE or UMAP; it is cloned. None is `PCA`,
            and the axes show the shares of the variance.
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
        """
        check_is_fitted(embedder)
        Z = np.asarray(embedder.transform(X))
        if y is not None:
            check_consistent_length(Z, y)
        chosen = PCA(2, random_state=0) if reducer is None else clone(reducer)
        points = np.asarray(chosen.fit_transform(Z))
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(
                f"reducer={reducer!r} must make 2 columns, got shape {points.shape}. Set its n_components=2."
            )
        display = cls(points, y).plot(ax=ax)
        if reducer is None:
            shares = chosen.explained_variance_ratio_
            names = [f"component {i + 1} ({share:.0%})" for i, share in enumerate(shares)]
            display.ax_.set(xlabel=names[0], ylabel=names[1])
        return display

    def plot(self, *, ax=None, size=None):
        """Draw the plot.

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
        x, y = np.asarray(self.points).T
        style = {"s": float(np.clip(20_000 / len(x), 2, 30)) if size is None else size, "linewidths": 0}
        if self.y is None:
            self.scatters_.append(ax.scatter(x, y, color=COLORS[0], **style))
        elif type_of_target(self.y).startswith("continuous"):
            self.scatters_.append(ax.scatter(x, y, c=np.asarray(self.y, dtype=float), cmap="viridis", **style))
            ax.figure.colorbar(self.scatters_[0], ax=ax)
        else:
            labels = np.asarray(self.y)
            for i, label in enumerate(np.unique(labels)):
                rows, marker = labels == label, MARKERS[(i // len(COLORS)) % len(MARKERS)]
                color = GREY if is_missing(label) else COLORS[i % len(COLORS)]
                name = "no label" if is_missing(label) else label
                points = ax.scatter(x[rows], y[rows], color=color, marker=marker, label=name, **style)
                self.scatters_.append(points)
            beside = {"loc": "upper left", "bbox_to_anchor": (1, 1.02), "ncols": -(-len(self.scatters_) // 12)}
            ax.legend(markerscale=max(1, np.sqrt(25 / style["s"])), fontsize="small", handletextpad=0.2, **beside)
        ax.set(xlabel="first coordinate", ylabel="second coordinate", xticks=[], yticks=[])
        return self


def is_missing(label):
    """Whether a label is -1, scikit-learn's mark for unlabelled rows."""
    return not isinstance(label, str) and label == -1
