"""The two views of a batch: alike by default, or one augmentation for each (Pair)."""

import torch

from ._augmentation import Augmentation, Chain, PrefersOrder, bind, check_one_view, compiled_by, to_intensities, view_of


class Identity(Augmentation):
    """The rows as they are: for a clean view in a `Pair`.

    Examples
    --------
    >>> from sklearn_twins.augmentations import Identity, Masking, Pair
    >>> Pair(Identity(), Masking())
    Pair(view_a=Identity(), view_b=Masking())
    """

    def __call__(self, x, data, generator):
        """Make one view: a copy.

        Shape
        -----
        x : (batch, *sample_shape); returns (batch, *sample_shape)
        """
        return x.clone()


class Pair(Augmentation):
    """A different augmentation for each of the two views.

    Parameters
    ----------
    view_a : augmentation
        What makes the first view. SCARF's recipe, one clean view, is ``Pair(Identity(), MarginalCorruption())``.
    view_b : augmentation
        What makes the second view.

    See Also
    --------
    Chain : Augmentations one after another, in one view.

    Examples
    --------
    >>> from sklearn_twins.augmentations import Identity, MarginalCorruption, Pair
    >>> Pair(Identity(), MarginalCorruption()).set_params(view_b__corruption_rate=0.5)
    Pair(view_a=Identity(), view_b=MarginalCorruption(corruption_rate=0.5))
    """

    makes_both_views = True  # so it cannot stand where one view is made

    _parameter_constraints: dict = {"view_a": [callable], "view_b": [callable]}

    def __init__(self, view_a, view_b):
        self.view_a = view_a
        self.view_b = view_b

    def check(self):
        """Refuse views that cannot be made.

        Returns
        -------
        self : Pair
            The object itself.

        Raises
        ------
        InvalidParameterError
            If a view is no augmentation, or its hyper-parameters are out of range.
        """
        super().check()
        check_one_view(self.view_a, "view_a of Pair")
        check_one_view(self.view_b, "view_b of Pair")
        return self

    def _bound(self, spec, device):
        return Pair(bind(self.view_a, spec, device), bind(self.view_b, spec, device))

    def compiled_by(self, compiled):
        """The pair with what pays in its views compiled.

        Parameters
        ----------
        compiled : callable
            ``compiled(function, *constants) -> function`` of what follows the constants.

        Returns
        -------
        pair : Pair
            Another one; this one is left as it is.
        """
        return Pair(compiled_by(self.view_a, compiled), compiled_by(self.view_b, compiled))

    def __call__(self, x, data, generator):
        """Make the second view, the augmented one where the first is clean.

        Shape
        -----
        x : (batch, *sample_shape); data : (n, *sample_shape); returns (batch, *sample_shape)
        """
        return view_of(self.view_b, x, data, generator)


def contiguous_bytes(x):
    """Bytes in the usual memory order, so that a user's callable can call `view` on them; anything else as it is."""
    return x.contiguous() if x.dtype == torch.uint8 else x


def order_for(augmentation):
    """The function that brings a batch into the memory order that an augmentation, or its first step, prefers."""
    while isinstance(augmentation, Chain):
        augmentation = augmentation.steps[0][1]
    return augmentation.order if isinstance(augmentation, PrefersOrder) else contiguous_bytes


def make_views(augmentation, x, data, generator):
    """Two views of the same rows, each with draws of its own.

    Parameters
    ----------
    augmentation : callable or Pair
        Called as ``augmentation(x, data, generator)``, once for each view; a torch module as ``augmentation(x)``.
    x : Tensor of shape (batch, *sample_shape)
        The rows; bytes are made intensities first, 0 black and 1 white.
    data : Tensor of shape (n, *sample_shape)
        All training samples, from which some augmentations borrow.
    generator : torch.Generator
        Source of every draw, on the device of `x`.

    Returns
    -------
    x_a, x_b : Tensors of shape (batch, *sample_shape)
        The views.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import Identity, Masking, Pair, make_views
    >>> x = torch.ones(4, 3)
    >>> x_a, x_b = make_views(Pair(Identity(), Masking(mask_rate=1.0)), x, x, torch.Generator().manual_seed(0))
    >>> x_a.sum().item(), x_b.sum().item()
    (12.0, 0.0)
    """
    pair = isinstance(augmentation, Pair)
    views = (augmentation.view_a, augmentation.view_b) if pair else (augmentation, augmentation)
    orders = [order_for(view) for view in views]
    laid_out = {order: to_intensities(order(x)) for order in set(orders)}  # once, if both are made of the same
    x_a, x_b = (view_of(view, laid_out[order], data, generator) for view, order in zip(views, orders, strict=True))
    return x_a, x_b
