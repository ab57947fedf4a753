"""MultiViewPreprocessor: each view by its own preprocessor, side by side in one sample."""

import copy
from functools import partial

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted

from .._inputs._feature_names import share_names
from .._modalities import record_of
from .._parts._component import Component
from ._columns import find_missing_rows, is_one_container_per_view, names_of, split_containers, split_table
from ._spec import MultiViewSpec, ViewSpec


class MultiViewPreprocessor(_BaseComposition, Component):
    """Turn each view of X into samples by a preprocessor of its own, and put them side by side.

    Parameters
    ----------
    views : list of (str, component) tuples
        Names and preprocessors of the views.
    columns : list
        The columns of each view in one table; None for each view if X is one container for each view.
    passthrough : list of (bool or None)
        For each view, whether `transform` puts its columns next to its embedding; None if it has some.
    """

    def __init__(self, views, columns, passthrough):
        self.views = views
        self.columns = columns
        self.passthrough = passthrough

    def get_params(self, deep=True):
        """Get parameters, those of the views' preprocessors among them if `deep`."""
        return self._get_params("views", deep=deep)

    def set_params(self, **params):
        """Set parameters, ``name__parameter`` for those of a view's preprocessor."""
        return self._set_params("views", **params)

    @property
    def names(self):
        """Names of the views."""
        return [name for name, _ in self.views]

    def set_output(self, *, transform=None):
        """Set the containers that the views' preprocessors return.

        Parameters
        ----------
        transform : str or None, default=None
            As scikit-learn's `set_output` takes it.

        Returns
        -------
        self : MultiViewPreprocessor
        """
        for _, preprocessor in self.views:
            if hasattr(preprocessor, "set_output"):
                preprocessor.set_output(transform=transform)
        return self

    def fit(self, X, y=None, *, owner=None):
        """Fit all preprocessors; see `fit_transform`."""
        self.fit_transform(X, owner=owner)
        return self

    def fit_transform(self, X, y=None, *, owner=None):
        """Fit all preprocessors, and turn X into samples.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); list or dict of containers
            The rows.
        y : Ignored
            Not used.
        owner : estimator, default=None
            The estimator named in error messages.

        Returns
        -------
        samples : ndarray of shape (n, values), float32
        """
        owner = self if owner is None else owner
        parts = self._split(X, self.names, owner, reset=True)
        blocks, views, start = [], [], 0
        for (name, preprocessor), rows, passes in zip(self.views, parts, self.passthrough, strict=True):
            missing = find_missing_rows(rows)
            if (~missing).sum() < min(2, len(missing)):
                raise ValueError(
                    f"View {name!r} is present in {(~missing).sum()} of {len(missing):,} rows. It needs 2 or more."
                )
            block = in_view(name, preprocessor.fit_transform, leave_out(rows, missing))
            if len(block) != (~missing).sum():
                raise ValueError(
                    f"View {name!r} has {len(block)} of {(~missing).sum()} rows: broken files were skipped. Use "
                    "on_broken='raise', and None in the place of images that are broken."
                )
            spec = preprocessor.spec_
            passes = has_columns(spec, name, passes)
            stop = start + int(np.prod(spec.shape))
            views.append(ViewSpec(name, spec, start, stop, passes))
            blocks.append((block, missing))
            start = stop
        if is_one_container_per_view(X, self.columns):
            owner.n_features_in_ = sum(getattr(p, "n_features_in_", 0) for _, p in self.views)
            owner.__dict__.pop("feature_names_in_", None)
        share_names(owner, self)
        has_missing = any(missing.any() for _, missing in blocks)
        self.spec_ = MultiViewSpec((start + len(views),), tuple(views), has_missing)
        samples = join_blocks(blocks, self.spec_, fill=True)
        refuse_lonely_views(self.spec_, samples)
        return samples

    def transform(self, X, *, owner=None, views=None):
        """Turn X into samples.

        Parameters
        ----------
        X : as in `fit_transform`
            The rows.
        owner : estimator, default=None
            The estimator named in error messages.
        views : list of str, default=None
            Views that samples consist of; None for all.

        Returns
        -------
        samples : ndarray of shape (n, values), float32
            Samples of ``spec_.subset(views)``.
        """
        check_is_fitted(self)
        wanted = self.names if views is None else [name for name in self.names if name in views]
        return join_blocks(self._transform_views(X, owner, wanted), self.spec_.subset(wanted))

    def transform_for_fit(self, X, *, owner=None):
        """Turn X into samples to train further.

        Parameters
        ----------
        X : as in `fit_transform`
            The rows.
        owner : estimator, default=None
            The estimator named in error messages.

        Returns
        -------
        samples : ndarray of shape (n, values), float32
        """
        blocks = self._transform_views(X, owner, self.names)
        for name, (_, missing) in zip(self.names, blocks, strict=True):
            if missing.any() and not self.spec_.has_missing:
                raise ValueError(
                    f"View {name!r} is missing in {missing.sum()} row(s), but all rows of the first fit had all views. "
                    "Leave these rows out, or clone the estimator and start anew."
                )
        samples = join_blocks(blocks, self.spec_, fill=True)
        refuse_lonely_views(self.spec_, samples)
        return samples

    def _transform_views(self, X, owner, wanted):
        """Samples of each view without missing ones, and which rows these are."""
        parts = self._split(X, wanted, self if owner is None else owner, reset=False)
        preprocessors, blocks = dict(self.views), []
        for name, rows in zip(wanted, parts, strict=True):
            missing = find_missing_rows(rows)
            if missing.all():
                shape = preprocessors[name].spec_.shape
                blocks.append((np.empty((0, *shape), dtype=np.float32), missing))
                continue
            transform = preprocessors[name].transform
            if hasattr(self, "columns_") and wanted == self.names:  # names of the whole table are checked already
                transform = partial(transform, owner=with_names_of(rows, preprocessors[name]))
            blocks.append((in_view(name, transform, leave_out(rows, missing)), missing))
        return blocks

    def _split(self, X, wanted, owner, *, reset):
        if is_one_container_per_view(X, self.columns):
            return split_containers(X, self.names, wanted, self.columns)
        if not reset and not hasattr(self, "columns_"):
            raise ValueError(f"In fit, X was one container for each view. Give a list or dict of them for {wanted}.")
        columns = self.columns if reset else self.columns_
        parts, columns = split_table(X, self.names, wanted, columns, owner, reset=reset)
        if reset:
            self.columns_ = columns
        return parts


def with_names_of(rows, preprocessor):
    """A view's preprocessor with the names of these rows, or without, so that it does not warn of others once more."""
    named = hasattr(rows, "columns")
    if named == hasattr(preprocessor, "feature_names_in_"):
        return preprocessor
    preprocessor = copy.copy(preprocessor)
    preprocessor.__dict__.pop("feature_names_in_", None)
    if named and all(isinstance(label, str) for label in names_of(rows)):
        preprocessor.feature_names_in_ = np.array(names_of(rows), dtype=object)
    return preprocessor


def in_view(name, function, rows):
    """Call a view's preprocessor, and name the view in its errors."""
    try:
        return function(rows)
    except (ValueError, TypeError) as error:
        kind = ValueError if isinstance(error, ValueError) else TypeError  # subclasses may take other arguments
        reason = str(error)
        if len(getattr(rows, "shape", (0,))) == 1 and reason.startswith(("Expected 2D", "Expected a 2-dim")):
            reason = (
                "its preprocessor takes tables, and got one column without its table. Put the name of a single column "
                "into a list, [name]; give an array the shape (n, 1)."
            )
        raise kind(f"View {name!r}: {reason}") from error


def has_columns(spec, name, passes):
    """Whether a view has columns to put next to its embedding, if they are wanted."""
    found = record_of(spec).passthrough is not None
    if passes and not found:
        raise ValueError(f"View {name!r}: passthrough=True, but its samples of shape {spec.shape} have no columns.")
    return found if passes is None else passes


def refuse_lonely_views(spec, samples):
    """Refuse rows without any view, and samples that no two of which have two views."""
    n_views = spec.presence(samples).sum(1)
    empty = np.flatnonzero(n_views == 0)
    if len(empty):
        raise ValueError(
            f"All views are missing in {len(empty):,} of {len(samples):,} rows, the first of them row {empty[0]}. "
            "Drop them."
        )
    if (n_views > 1).sum() < min(2, len(samples)):
        raise ValueError(
            f"{(n_views > 1).sum()} of {len(samples):,} rows have two views or more. Views learn from rows with "
            "both: give 2 such rows or more."
        )


def leave_out(rows, missing):
    """The rows that are not missing."""
    return _safe_indexing(rows, np.flatnonzero(~missing)) if missing.any() else rows


def join_blocks(blocks, spec, fill=False):
    """Put the views' samples side by side.

    Parameters
    ----------
    blocks : list of (samples, missing)
        Samples of each view without missing ones, and which rows these are.
    spec : MultiViewSpec
        Where they belong.
    fill : bool, default=False
        Whether missing samples get the values of others, for augmentations that take values from random rows; they are
        0 otherwise, and marked as missing in both cases.

    Returns
    -------
    samples : ndarray of shape (n, values), float32
    """
    n = len(blocks[0][1])
    joined = np.zeros((n, *spec.shape), dtype=np.float32)
    for i, ((samples, missing), view) in enumerate(zip(blocks, spec.views, strict=True)):
        if hasattr(samples, "equal_blocks"):
            raise TypeError(
                f"View {view.name!r} holds clips of unequal length, which cannot stand side by side with other views. "
                "Embed it by a BarlowTwinsEmbedder of its own, and give the embedding as a view."
            )
        samples = samples if isinstance(samples, np.ndarray) else samples[np.arange(len(samples))]
        flat = samples.reshape(len(samples), view.stop - view.start)
        flat = flat.astype(np.float32) / 255 if samples.dtype == np.uint8 else flat
        block = joined[:, view.start : view.stop]
        block[~missing] = flat
        if fill and missing.any() and len(flat):
            block[missing] = flat[np.arange(missing.sum()) % len(flat)]
        joined[:, spec.shape[0] - len(spec.views) + i] = ~missing
    return joined
