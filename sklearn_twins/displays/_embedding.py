"""A map of an embedding: its rows as points of the plane, in the colours of their labels."""

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from ._style import COLORS, GREY, MARKERS, axes_for


class EmbeddingDisplay:
    """Draw rows as points.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Where they are.
    y : array-like of shape (n,) or None, default=None
        Labels, or numbers, that colour them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        The figure that these belong to.
    scatters_ : list of matplotlib PathCollection
        One for each class; one for all if `y` is None or holds numbers.

    See Also
    --------
    SpectrumDisplay : How many directions there are of which the map shows two.

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
        """Draw what an embedder makes of rows.

        Parameters
        ----------
        embedder : BarlowTwinsEmbedder
            Fitted; any other transformer, or a pipeline of them, too.
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            Rows.
        y : array-like of shape (n,) or None, default=None
            Labels, or numbers, that colour the points.
        reducer : transformer or None, default=None
            What makes two columns of the embedding, by a `fit_transform` of a copy of it: TSNE, UMAP, ... None is
            `PCA`, whose axes say which share of the variance they show.
        ax : matplotlib Axes or None, default=None
            Where to draw; None for a figure of its own.

        Returns
        -------
        display : EmbeddingDisplay
            What has been drawn.

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
                f"reducer={reducer!r} must make 2 columns. Got {points.shape[1:]}; set its n_components=2."
            )
        display = cls(points, y).plot(ax=ax)
        if reducer is None:
            shares = chosen.explained_variance_ratio_
            names = [f"component {i + 1} ({share:.0%})" for i, share in enumerate(shares)]
            display.ax_.set(xlabel=names[0], ylabel=names[1])
        return display

    def plot(self, *, ax=None, size=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None for a figure of its own.
        size : float or None, default=None
            Area of a point, in points squared; None makes it smaller the more there are.

        Returns
        -------
        display : EmbeddingDisplay
            The display itself.
        """
        self.ax_ = ax = axes_for(ax)
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
                color = GREY if is_no_label(label) else COLORS[i % len(COLORS)]
                name = "no label" if is_no_label(label) else label
                points = ax.scatter(x[rows], y[rows], color=color, marker=marker, label=name, **style)
                self.scatters_.append(points)
            beside = {"loc": "upper left", "bbox_to_anchor": (1, 1.02), "ncols": -(-len(self.scatters_) // 12)}
            ax.legend(markerscale=max(1, np.sqrt(25 / style["s"])), fontsize="small", handletextpad=0.2, **beside)
        ax.set(xlabel="first coordinate", ylabel="second coordinate", xticks=[], yticks=[])
        return self


def is_no_label(label):
    """Whether a label is -1, scikit-learn's mark for rows that have none."""
    return not isinstance(label, str) and label == -1
