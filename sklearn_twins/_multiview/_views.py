"""Augmentation, encoder, projector and objective of several views, each made of one part for each view."""

import copy

import torch
from sklearn.utils.metaestimators import _BaseComposition
from torch import nn

from .._parts._augmentation import bind, compiled_by, view_of
from .._parts._component import Component
from .._parts._spec import SampleSpec
from .._parts._two_views import Pair, find_memory_order
from .._parts._user_encoder import output_width


class PartForEachView(_BaseComposition, Component):
    """Base of parts that consist of one part for each view: ``views``, a list of (name, part)."""

    def __init__(self, views):
        self.views = views

    def get_params(self, deep=True):
        """Get parameters, those of the views' parts among them if `deep`."""
        return self._get_params("views", deep=deep)

    def set_params(self, **params):
        """Set parameters, ``name__parameter`` for those of a view's part."""
        return self._set_params("views", **params)


class AugmentEachView(PartForEachView):
    """Change each view by its own augmentation."""

    def bind(self, spec, device):
        """Adapt the augmentations to their views' samples.

        Returns
        -------
        augmentation : Pair
            Of callables.
        """
        parts = [bind(part, view.spec, device) for (_, part), view in zip(self.views, spec.views, strict=True)]
        return Pair(JoinedViews(parts, spec, 0), JoinedViews(parts, spec, 1))


class JoinedViews:
    """One change of all views: ``(x, data, generator) -> view``.

    Parameters
    ----------
    parts : list of callables
        Bound augmentation of each view; a `Pair` makes its two views by different ones.
    spec : MultiViewSpec
        Where the views are in a sample.
    side : {0, 1}
        Which of the two.
    """

    def __init__(self, parts, spec, side):
        self.parts, self.spec, self.side = parts, spec, side

    def compiled_by(self, compiled):
        """The same, with the parts compiled that are worth it."""
        return JoinedViews([compiled_by(part, compiled) for part in self.parts], self.spec, self.side)

    def __call__(self, x, data, generator):
        """Make one view.  # (batch, values) -> (batch, values)"""
        changed = []
        for part, view in zip(self.parts, self.spec.views, strict=True):
            if isinstance(part, Pair):
                part = (part.view_a, part.view_b)[self.side]
            block = find_memory_order(part)(view.take(x))
            changed.append(view_of(part, block, BlockOfRows.of(data, view), generator).reshape(len(x), -1))
        return torch.cat([*changed, x[:, self.spec.shape[0] - len(self.spec.views) :]], dim=1)


class BlockOfRows:
    """One view of training samples that stay in host memory, for augmentations that take values from other rows.

    Parameters
    ----------
    rows : HostRows
        The samples of all views.
    view : ViewSpec
        The view.
    """

    def __init__(self, rows, view):
        self.rows, self.view = rows, view
        self.shape, self.device = (len(rows), *view.spec.shape), rows.device

    @classmethod
    def of(cls, data, view):
        """The view's part of the training samples: a tensor where they are one."""
        return view.take(data) if isinstance(data, torch.Tensor) else cls(data, view)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, rows):
        return self.view.take(self.rows[rows])

    def gather(self, dim, index):
        """Gather values of columns from other rows, as `torch.gather` does."""
        return self.rows.gather_columns(index, self.view.start)


class EncodeEachView(PartForEachView):
    """Embed each view by its own encoder.

    Parameters
    ----------
    views : list of (str, component) tuples
        Names and encoders.
    n_components : list of (int or None)
        Width of each view's embedding; None for the encoder's own.
    projector : ProjectEachView
        Projectors, which stay with the encoders: they lead to the space that all views share.

    Attributes
    ----------
    widths_ : tuple of int
        Widths of the networks' outputs, found by the first `build`.
    """

    def __init__(self, views, n_components, projector):
        self.views = views
        self.n_components = n_components
        self.projector = projector

    def build(self, spec, n_components, generator):
        """Build the networks.

        Parameters
        ----------
        spec : MultiViewSpec
            The views.
        n_components : None
            Not used; see the class's parameter.
        generator : torch.Generator
            Source of the initial weights.

        Returns
        -------
        encoder : ViewEncoders
        """
        networks = [
            part.build(view.spec, width, generator)
            for (_, part), view, width in zip(self.views, spec.views, self.n_components, strict=True)
        ]
        if not hasattr(self, "widths_"):  # known once the networks were built: a pass over large images takes memory
            self.widths_ = tuple(map(output_width, networks, [view.spec for view in spec.views]))
        return ViewEncoders(networks, self.projector.build(self.widths_, generator, spec.has_missing), spec)

    def untrained(self):
        """Make an encoder of the same networks without weights that are fetched, for weights that are loaded.

        Returns
        -------
        encoder : EncodeEachView
        """
        same = copy.copy(self)
        same.views = [(name, part.untrained() if hasattr(part, "untrained") else part) for name, part in self.views]
        return same

    def projector_of(self, encoder):
        """The projector that `build` made together with an encoder."""
        return encoder.projector


class ViewEncoders(nn.Module):
    """The encoders of all views side by side; the embedding of a missing view is NaN.

    Parameters
    ----------
    networks : list of nn.Module
        One for each view.
    projector : ViewProjectors
        Not part of `forward`.
    spec : MultiViewSpec
        Where the views are in a sample.

    Shape
    -----
    (batch, values) -> (batch, sum of widths)
    """

    def __init__(self, networks, projector, spec):
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.projector = projector
        self.spec = spec

    def forward(self, x):
        looks = self.spec.has_missing or not self.training  # rows of `transform` may lack views that all others had
        presence = self.spec.presence(x).unbind(1) if looks else [None] * len(self.networks)
        views = zip(self.networks, self.spec.views, presence, self.projector.widths, strict=True)
        embedded = [where_present(network, view.take(x), present, width) for network, view, present, width in views]
        return torch.cat(embedded, dim=1)


def where_present(network, x, present, width):
    """Apply a network to the rows that are present; others become NaN.

    Fewer than two rows would have no statistics for batch norm; in training they count as missing.

    Parameters
    ----------
    network : nn.Module
        (rows, ...) -> (rows, width)
    x : Tensor of shape (batch, ...)
        All rows.
    present : Tensor of shape (batch,), bool, or None
        Which rows are present; None for all.
    width : int
        Width of the output.

    Returns
    -------
    output : Tensor of shape (batch, width)
    """
    if present is None or bool(present.all()):
        return network(x)
    rows = present.nonzero().flatten()
    if len(rows) < (2 if network.training else 1):
        return torch.full((len(x), width), torch.nan, device=x.device)
    made = network(x.index_select(0, rows))
    return made.new_full((len(x), width), torch.nan).index_copy(0, rows, made)


class ProjectEachView(PartForEachView):
    """Project each view's embedding by its own projector; all projections have one width."""

    def build(self, widths, generator, has_missing):
        """Build the networks.

        Parameters
        ----------
        widths : list of int
            Width of each view's embedding.
        generator : torch.Generator
            Source of the initial weights.
        has_missing : bool
            Whether embeddings are NaN where a view is missing.

        Returns
        -------
        projector : ViewProjectors

        Raises
        ------
        ValueError
            If the projections have different widths.
        """
        networks = [part.build(width, generator) for (_, part), width in zip(self.views, widths, strict=True)]
        names = [name for name, _ in self.views]
        dims = {
            name: output_width(network, SampleSpec((width,)))
            for name, network, width in zip(names, networks, widths, strict=True)
        }
        if len(set(dims.values())) > 1:
            raise ValueError(
                f"The projections of all views must have one width. They have {dims}. Set projector__projection_dim of "
                "each view."
            )
        return ViewProjectors(networks, widths, dims[names[0]], has_missing)


class ViewProjectors(nn.Module):
    """The projectors of all views side by side; the projection of a missing view is NaN.

    Parameters
    ----------
    networks : list of nn.Module
        One for each view.
    widths : list of int
        Width of each view's embedding.
    projection_dim : int
        Width of each view's projection.
    has_missing : bool
        Whether embeddings are NaN where a view is missing.

    Shape
    -----
    (batch, sum of widths) -> (batch, n_views * projection_dim)
    """

    def __init__(self, networks, widths, projection_dim, has_missing):
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.widths, self.projection_dim, self.has_missing = list(widths), projection_dim, has_missing

    def forward(self, h):
        projected = []
        for network, block in zip(self.networks, h.split(self.widths, dim=1), strict=True):
            present = ~block[:, 0].isnan() if self.has_missing else None
            projected.append(where_present(network, block, present, self.projection_dim))
        return torch.cat(projected, dim=1)
