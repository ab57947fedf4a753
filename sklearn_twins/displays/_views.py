"""What the encoder is shown: rows, and pairs of randomly changed views of them."""

from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_scalar

from ._style import axes_for

MOST_NAMES = 60  # of columns, below each other
SEEN = (0, 1, 2)  # of images with more channels than a screen has, those that are drawn as red, green and blue


class ViewsDisplay:
    """Draw rows beside pairs of their views: images as images, rows of a table as cells, with marks on changed ones.

    Look at it before a long fit. Where views still show what matters, and hide what does not, the embedding will, too.

    Parameters
    ----------
    samples : ndarray of shape (n, *sample_shape)
        Rows as the network takes them; numbers of a table scaled, categories as codes.
    views : list of ndarray of shape (n, *sample_shape)
        Views of them, in pairs.
    names : list of str or None, default=None
        Of the columns of a table's samples.
    n_codes : tuple of int, default=()
        Of a table whose last columns are codes of categories, how many codes each has.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        The figure that these belong to.
    im_ : matplotlib AxesImage
        The picture.
    marks_ : matplotlib PathCollection or None
        Marks of a table's changed cells.

    See Also
    --------
    sklearn_twins.BarlowTwinsEmbedder.transform_views : Embed views of rows.
    sklearn_twins.augmentations : What makes views.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_twins import BarlowTwinsEmbedder
    >>> from sklearn_twins.displays import ViewsDisplay
    >>> display = ViewsDisplay.from_estimator(BarlowTwinsEmbedder(), load_iris().data, n_rows=5)
    >>> len(display.views), display.views[0].shape
    (2, (5, 4))
    """

    def __init__(self, samples, views, names=None, n_codes=()):
        self.samples = samples
        self.views = views
        self.names = names
        self.n_codes = n_codes

    @classmethod
    def from_estimator(cls, embedder, X, *, n_rows=8, n_pairs=1, random_state=0, ax=None):
        """Draw views as an embedder makes them in training.

        Parameters
        ----------
        embedder : BarlowTwinsEmbedder
            Fitted or not; it is left as it is.
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            Rows. The first ones are drawn; augmentations that borrow values borrow them from all.
        n_rows : int, default=8
            How many are drawn.
        n_pairs : int, default=1
            Pairs of views of each.
        random_state : int, RandomState instance or None, default=0
            Seed of the views.
        ax : matplotlib Axes or None, default=None
            Where to draw; None for a figure of its own.

        Returns
        -------
        display : ViewsDisplay
            What has been drawn.

        Raises
        ------
        ValueError, TypeError
            As `fit` and `transform` do of parameters and X.
        """
        check_scalar(n_rows, "n_rows", Integral, min_val=1)
        check_scalar(n_pairs, "n_pairs", Integral, min_val=1)
        parts, preprocessor = embedder._resolve_parts(), getattr(embedder, "preprocessor_", None)
        if preprocessor is None:
            preprocessor = parts["preprocessor"]
            samples = preprocessor.fit_transform(X, owner=clone(embedder))
        else:
            samples = preprocessor.transform(X, owner=embedder)
        rows, views = views_of(parts["augmentation"], preprocessor.spec_, samples, n_rows, n_pairs, random_state)
        named = np.ndim(rows) == 2 and hasattr(preprocessor, "get_feature_names_out")
        names = list(preprocessor.get_feature_names_out()) if named else None
        return cls(rows, views, names, getattr(preprocessor.spec_, "categories", ())).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None for a figure of its own.

        Returns
        -------
        display : ViewsDisplay
            The display itself.
        """
        pictures = [self.samples, *self.views]
        titles = ["row", *(f"view {'ab'[i % 2]}" for i in range(len(self.views)))]
        self.marks_ = None
        if np.ndim(self.samples) == 4:
            self._plot_images(pictures, titles, ax)
        elif np.ndim(self.samples) == 2:
            self._plot_table(pictures, titles, ax)
        else:
            raise ValueError(
                f"ViewsDisplay draws rows of a table and images. Got samples of shape {np.shape(self.samples)[1:]}; "
                "give it arrays of shape (n, columns) or (n, channels, height, width) that are made of them."
            )
        return self

    def _plot_images(self, pictures, titles, ax):
        n, _, height, width = np.shape(self.samples)
        gap, wide = max(1, width // 16), max(2, width // 6)
        self.ax_ = ax = axes_for(ax, figsize=(1.1 * len(pictures), 1.0 * n * height / width + 0.4))
        columns = []
        for j, images in enumerate(pictures):
            tiles = [np.pad(drawn(image), ((0, gap), (0, 0), (0, 0)), constant_values=1) for image in images]
            columns.append(
                np.pad(np.concatenate(tiles), ((0, 0), (0, gap if j % 2 else wide), (0, 0)), constant_values=1)
            )
        self.im_ = ax.imshow(np.concatenate(columns, axis=1), interpolation="nearest")
        self.figure_, left = ax.figure, 0
        for column, title in zip(columns, titles, strict=True):
            ax.text(left + width / 2, -gap, title, ha="center", va="bottom", fontsize="small")
            left += column.shape[1]
        ax.set_axis_off()

    def _plot_table(self, pictures, titles, ax):
        n, d = np.shape(self.samples)
        self.ax_ = ax = axes_for(ax, figsize=(min(14, max(4, 0.28 * d * len(pictures) + 1.5)), 0.28 * n + 1.6))
        lefts = np.arange(len(pictures)) * (d + 1)
        table = np.full((n, lefts[-1] + d), np.nan)
        places = []
        for left, title, picture in zip(lefts, titles, pictures, strict=True):
            table[:, left : left + d] = self._colors(picture)
            same = (picture == self.samples) | (np.isnan(picture) & np.isnan(self.samples))
            places.append(np.argwhere(~same)[:, ::-1] + [left, 0])
            ax.text(left + d / 2 - 0.5, -0.8, title, ha="center", va="bottom", fontsize="small")
        self.im_ = ax.imshow(
            np.ma.masked_invalid(table), cmap="RdBu_r", vmin=-3, vmax=3, interpolation="nearest", aspect="auto"
        )
        places = np.concatenate(places)
        self.marks_ = ax.scatter(*places.T, s=14, facecolors="black", edgecolors="white", linewidths=0.8)
        self.figure_ = ax.figure
        named = self.names is not None and d * len(pictures) <= MOST_NAMES
        ticks = (lefts[:, None] + np.arange(d)).ravel() if named else []
        ax.set_xticks(ticks, list(self.names) * len(pictures) if named else [], rotation=90, fontsize="x-small")
        ax.set(ylabel="row of X", yticks=range(n))
        ax.spines[:].set_visible(False)
        ax.figure.colorbar(self.im_, ax=ax, label="scaled number; dots: changed", shrink=0.9)

    def _colors(self, picture):
        """Numbers as they are, codes spread over the range of colours."""
        colors = np.array(picture, dtype=np.float64)
        for j, n in enumerate(self.n_codes, colors.shape[1] - len(self.n_codes)):
            colors[:, j] = 4 * colors[:, j] / max(n - 1, 1) - 2
        return colors


def views_of(augmentation, spec, samples, n_rows, n_pairs, random_state):
    """The first samples, and pairs of views of them.

    Returns
    -------
    rows : ndarray of shape (n_rows, *sample_shape)
        Intensities, of images.
    views : list of ndarray of shape (n_rows, *sample_shape)
    """
    import torch

    from .._parts._augmentation import bind
    from .._parts._two_views import make_views
    from .._runtime._seeds import Stream, choose_seed, make_generator
    from .._runtime._storage import to_storage
    from .._runtime._torch_state import isolated_torch_state, seed_global_generators

    cpu, seed = torch.device("cpu"), choose_seed(random_state)
    generator = make_generator(seed, Stream.EMBEDDED_VIEWS)
    with isolated_torch_state(cpu, 1), torch.inference_mode(), seed_global_generators(generator.initial_seed(), cpu):
        bound, data = bind(augmentation, spec, cpu), to_storage(samples, cpu, "auto")
        x = data[torch.arange(min(n_rows, len(samples)))]
        views = [view.numpy() for _ in range(n_pairs) for view in make_views(bound, x, data, generator)]
    rows = x.numpy()
    return rows / np.float32(255) if rows.dtype == np.uint8 else rows, views


def drawn(image):
    """An image as matplotlib takes it: grey, or three of its channels.  # (channels, height, width) -> (h, w, 3)"""
    channels = [0, 0, 0] if len(image) < 3 else list(SEEN)
    return np.clip(np.moveaxis(np.asarray(image)[channels], 0, -1), 0, 1)
