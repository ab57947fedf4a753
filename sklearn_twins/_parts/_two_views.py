"""The two views of a batch: by one augmentation, or by a different one for each (Pair)."""

import torch

from ._augmentation import Augmentation, Chain, bind, check_one_view, compiled_by, to_intensities, view_of


class Identity(Augmentation):
    """Leave rows as they are: for a clean view in a `Pair`.

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
    """Make the two views by two different augmentations.

    Parameters
    ----------
    view_a : augmentation
        Augmentation of the first view. SCARF leaves it clean: ``Pair(Identity(), MarginalCorruption())``.
    view_b : augmentation
        Augmentation of the second view.

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
            If a view is not an augmentation, or its hyper-parameters are out of range.
        """
        super().check()
        check_one_view(self.view_a, "view_a of Pair")
        check_one_view(self.view_b, "view_b of Pair")
        return self

    def _bound(self, spec, device):
        return Pair(bind(self.view_a, spec, device), bind(self.view_b, spec, device))

    def compiled_by(self, compiled):
        """Compile the parts of the views that are worth compiling.

        Parameters
        ----------
        compiled : callable
            ``compiled(function, *constants) -> function`` of the arguments behind the constants.

        Returns
        -------
        pair : Pair
            A new pair; this one is not changed.
        """
        return Pair(compiled_by(self.view_a, compiled), compiled_by(self.view_b, compiled))

    def __call__(self, x, data, generator):
        """Make the second view, which is the augmented one if the first is clean.

        Shape
        -----
        x : (batch, *sample_shape); data : (n, *sample_shape); returns (batch, *sample_shape)
        """
        return view_of(self.view_b, x, data, generator)


def to_contiguous_bytes(x):
    """Store bytes contiguously, so that a user's callable may call `view` on them; return anything else as it is."""
    return x.contiguous() if x.dtype == torch.uint8 else x


def find_memory_order(augmentation):
    """Find the function that stores a batch in the memory order that an augmentation, or its first step, asks for."""
    while isinstance(augmentation, Chain):
        augmentation = augmentation.steps[0][1]
    return getattr(augmentation, "memory_order", to_contiguous_bytes)


def make_views(augmentation, x, data, generator, partners=None):
    """Make two views of the same rows, each with its own random draws.

    Parameters
    ----------
    augmentation : callable or Pair
        Called as ``augmentation(x, data, generator)`` for each view; a torch module as ``augmentation(x)``.
    x : Tensor of shape (batch, *sample_shape)
        The rows. Bytes are first converted to intensities, 0 for black and 1 for white.
    data : Tensor of shape (n, *sample_shape)
        All training samples, from which some augmentations take values.
    generator : torch.Generator
        Source of all random numbers, on the device of `x`.
    partners : Tensor of shape (batch, *sample_shape) or None, default=None
        Rows from which the second view is made, such as other rows of the same groups; None for the same rows.

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
    orders = [find_memory_order(view) for view in views]
    first = to_intensities(orders[0](x))
    shared = partners is None and orders[0] == orders[1]
    second = first if shared else to_intensities(orders[1](x if partners is None else partners))
    if hasattr(augmentation, "make_both"):
        return augmentation.make_both(first, second, data, generator)
    x_a, x_b = (view_of(view, rows, data, generator) for view, rows in zip(views, (first, second), strict=True))
    return x_a, x_b
