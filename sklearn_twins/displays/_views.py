"""ViewsDisplay: rows, and pairs of randomly changed views of them, as the encoder receives them."""

from functools import partial
from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_scalar

from .._modalities import MODALITIES, record_of
from .._roles import resolve_part
from ._estimators import find_embedder
from ._style import get_axes


class ViewsDisplay:
    """Draw rows next to pairs of their views: tables as cells with dots on changed ones, images, waves.

    Look at it before a long fit: the embedding keeps what both views of a row still show, and loses what they hide.

    Parameters
    ----------
    samples : ndarray of shape (n, *sample_shape)
        Rows as the network receives them: scaled numbers and codes of categories, intensities, or scaled series.
    views : list of ndarray of shape (n, *sample_shape)
        Views of these rows, in pairs.
    names : list of str or None, default=None
        Names of the columns of a table's samples.
    n_codes : tuple of int, default=()
        Number of codes of each categorical column of a table; these columns come last.
    modality : str or None, default=None
        Whose way of drawing is used. None recognises tables, images and series by their number of axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        Figure of these Axes.
    im_ : matplotlib AxesImage or LineCollection
        The picture; the waves of time series.
    marks_ : matplotlib PathCollection or None
        Dots on a table's changed cells.

    See Also
    --------
    sklearn_twins.BarlowTwinsEmbedder.transform_views : Embed views of rows.
    sklearn_twins.augmentations : Augmentations, which make views.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_twins import BarlowTwinsEmbedder
    >>> from sklearn_twins.displays import ViewsDisplay
    >>> display = ViewsDisplay.from_estimator(BarlowTwinsEmbedder(), load_iris().data, n_rows=5)
    >>> len(display.views), display.views[0].shape
    (2, (5, 4))
    """

    def __init__(self, samples, views, names=None, n_codes=(), modality=None):
        self.samples = samples
        self.views = views
        self.names = names
        self.n_codes = n_codes
        self.modality = modality

    @classmethod
    def from_estimator(cls, embedder, X, *, n_rows=8, n_pairs=1, random_state=0, ax=None):
        """Draw views as an embedder makes them in training.

        Parameters
        ----------
        embedder : BarlowTwinsEmbedder
            Fitted or not, or a pipeline that holds one; it is not changed.
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            Rows. The first ones are drawn; augmentations that borrow values borrow them from all.
        n_rows : int, default=8
            Number of rows that are drawn.
        n_pairs : int, default=1
            Pairs of views of each row.
        random_state : int, RandomState instance or None, default=0
            Seed of the views.
        ax : matplotlib Axes or None, default=None
            Where to draw; None for a figure of its own.

        Returns
        -------
        display : ViewsDisplay
            The display, drawn.

        Raises
        ------
        ValueError, TypeError
            If a parameter or X is one that `fit` or `transform` refuses.
        """
        check_scalar(n_rows, "n_rows", Integral, min_val=1)
        check_scalar(n_pairs, "n_pairs", Integral, min_val=1)
        embedder, X = find_embedder(embedder, X, needs_fit=False)
        embedder = embedder._snapshot()  # another thread may fit it again
        if hasattr(embedder, "views"):
            names = [view[0] for view in embedder.views]
            raise TypeError(
                f"ViewsDisplay draws the rows of one table or images. {type(embedder).__name__} has the views {names}: "
                f"give one's embedder, such as `get_params()[{names[0]!r}]`, and its columns or container."
            )
        embedder._validate_params()
        augmentation = resolve_part("augmentation", embedder.augmentation, embedder.modality)
        if hasattr(embedder, "preprocessor_"):
            preprocessor = embedder.preprocessor_
            samples = preprocessor.transform(X, owner=embedder)
        else:
            preprocessor = resolve_part("preprocessor", embedder.preprocessor, embedder.modality)
            samples = preprocessor.fit_transform(X, owner=clone(embedder))
        rows, views = make_pictures(augmentation, preprocessor.spec_, samples, n_rows, n_pairs, random_state)
        named = hasattr(preprocessor, "get_feature_names_out")
        names = list(preprocessor.get_feature_names_out()) if named else None
        n_codes, record = getattr(preprocessor.spec_, "categories", ()), record_of(preprocessor.spec_)
        modality = record.name if record.draw_views else None
        return cls(rows, views, names, n_codes, modality).plot(ax=ax)

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
        make_axes = partial(get_axes, ax)
        self.im_, self.marks_ = self._record().draw_views(pictures, titles, make_axes, self.names, self.n_codes)
        self.ax_, self.figure_ = self.im_.axes, self.im_.axes.figure
        return self

    def _record(self):
        """The record of the modality whose way of drawing is used."""
        ndim = np.ndim(self.samples) - 1
        for record in MODALITIES.values():
            if record.draw_views and (self.modality or ndim) in (record.name, record.sample_ndim):
                return record
        raise ValueError(
            "ViewsDisplay draws rows of a table, images and time series. Got samples of shape "
            f"{np.shape(self.samples)[1:]}; give it arrays of shape (n, columns), (n, channels, height, width) or "
            "(n, channels, length) that are made of them."
        )


def make_pictures(augmentation, spec, samples, n_rows, n_pairs, random_state):
    """The first samples, and pairs of views of them.

    Returns
    -------
    rows : ndarray of shape (n_rows, *sample_shape)
        Bytes as intensities.
    views : list of ndarray of shape (n_rows, *sample_shape)
    """
    import torch

    from .._parts._augmentation import bind, to_intensities
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
    return to_intensities(x).numpy(), views
