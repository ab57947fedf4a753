"""Augmentation, the base of parts that make views, and Chain, which applies several of them in turn."""

import copy

import torch
from sklearn.utils.metaestimators import _BaseComposition

from ._component import Component
from ._validation import check_call, check_instance, check_part, is_component, is_module


class Augmentation(Component):
    """Base of augmentations, which make a view: called as ``augmentation(x, data, generator)``.

    By default, an augmentation treats a sample's columns as independent numbers. `bind` adapts it to categories, to
    columns that belong together and to the shape of images.
    """

    # What the samples are that views are made of, as `SampleSpec.kind` has it, and the axes of one: ("images",
    # "(channels, height, width)"). None for samples of any kind.
    _made_for = None
    # Whether values change one by one, wherever they are; where a series ends, it then still ends.
    _is_by_value = False
    # Whether single values are taken from other samples, whose values have to be comparable place by place.
    _swaps_values = False

    def bind(self, spec, device):
        """Adapt the augmentation to samples that `spec` describes.

        Parameters
        ----------
        spec : SampleSpec
            Description of a sample.
        device : torch.device
            Device on which views are made.

        Returns
        -------
        augmentation : callable
            ``(x, data, generator) -> view``; the augmentation itself, if all columns are alike to it.

        Raises
        ------
        ValueError
            If it is made for other samples.
        """
        self._check_fits(spec.shape, spec.kind)
        return self._bound(spec, device)

    def _bound(self, spec, device):
        """The result of `bind`; subclasses may override it."""
        return self

    def _check_fits(self, shape, kind=None):
        """Refuse samples that the augmentation is not made for; those of no known kind are judged by their axes."""
        wanted, axes = self._made_for or (None, "")
        if wanted is not None and (kind not in (None, wanted) or len(shape) != axes.count(",") + 1):
            raise ValueError(
                f"{type(self).__name__} makes views of {wanted}, samples of shape {axes}. Got samples of shape "
                f"{tuple(shape)}{'' if kind is None else f' ({kind})'}. Use augmentation='auto', or one that fits them."
            )


def bind(augmentation, spec, device):
    """Adapt an augmentation to samples, if it has the method `bind`.

    A torch module with parameters or buffers is copied to the device.
    """
    if is_module(augmentation) and any(True for _ in (*augmentation.parameters(), *augmentation.buffers())):
        return spec.bind_views(copy.deepcopy(augmentation).to(device))
    bound = augmentation.bind(spec, device) if hasattr(augmentation, "bind") else augmentation
    return spec.bind_views(bound)


def compiled_by(augmentation, compiled):
    """A bound augmentation whose slow parts are compiled by ``compiled(function, *constants)``, if it has any."""
    return augmentation.compiled_by(compiled) if hasattr(augmentation, "compiled_by") else augmentation


def view_of(augmentation, x, data, generator):
    """Make one view; a user's torch module is called with the batch only."""
    if not is_module(augmentation):
        return augmentation(x, data, generator)
    try:
        view = augmentation(x.contiguous())
    except RuntimeError as error:
        if isinstance(error, MemoryError) or "memory" in str(error):
            raise
        raise ValueError(
            f"augmentation={augmentation!r} is a module that cannot take batches of shape {tuple(x.shape)} ({error}). "
            "Give one that does, or a callable (x, data, generator) -> view."
        ) from error
    if not hasattr(view, "data_ptr"):
        return view  # refused later, with its name
    return view.clone() if view.data_ptr() == x.data_ptr() else view


def move_towards(x, other, share, n_numbers, generator):
    """Move rows towards other rows.

    Numbers are moved by `share` of the way; if the other row's number is missing, the row keeps its own. Values behind
    the first `n_numbers` (None: all are numbers) are replaced by the other row's with probability `share`.

    Shape
    -----
    x, other : (batch, *sample_shape); share : (batch, 1, ...); returns (batch, *sample_shape)
    """
    import torch

    a, b = x[:, :n_numbers], other[:, :n_numbers]
    moved = torch.where(b.isnan(), a, a * (1 - share) + b * share)
    if n_numbers is None:
        return moved
    a, b = x[:, n_numbers:], other[:, n_numbers:]
    u = torch.rand(a.shape, generator=generator, device=x.device, dtype=x.dtype)
    return torch.cat([moved, torch.where(u < share, b, a)], dim=1)


def merge_neighbors(steps):
    """Bound steps of a chain, with neighbours merged if the first one's ``fused_with(next)`` is not None."""
    done = []
    for name, step in steps:
        joint = done[-1][1].fused_with(step) if done and hasattr(done[-1][1], "fused_with") else None
        if joint is None:
            done.append((name, step))
        else:
            done[-1] = (done[-1][0], joint)
    return done


class Chain(_BaseComposition, Augmentation):
    """Augmentations applied one after another.

    Parameters
    ----------
    steps : list of (str, augmentation) tuples
        Names and augmentations, in the order of application. The names give access to the steps' parameters:
        ``chain.set_params(noise__scale=0.2)``.

    Examples
    --------
    >>> from sklearn_twins.augmentations import Chain, GaussianNoise, MarginalCorruption
    >>> chain = Chain([("corrupt", MarginalCorruption()), ("noise", GaussianNoise())])
    >>> chain.set_params(noise__scale=0.2).get_params()["noise__scale"]
    0.2
    """

    _parameter_constraints: dict = {"steps": [list]}

    def __init__(self, steps):
        self.steps = steps

    def get_params(self, deep=True):
        """Get parameters of the chain and, if `deep`, of its steps.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the steps and their parameters.

        Returns
        -------
        params : dict
            By their names.
        """
        steps = [step for step in self.steps if isinstance(step, tuple)] if isinstance(self.steps, list) else []
        a_class = any(isinstance(part, type) for step in steps for part in step)  # `check` refuses it, with its name
        return self._get_params("steps", deep=deep and not a_class)

    def set_params(self, **params):
        """Set parameters of the chain, a step (by its name) or a step's parameters.

        Parameters
        ----------
        **params : dict
            ``steps=...``, ``name=augmentation`` or ``name__parameter=value``.

        Returns
        -------
        self : Chain
            The object itself.
        """
        return self._set_params("steps", **params)

    def check(self):
        """Refuse steps that are not pairs of a unique name and an augmentation.

        Returns
        -------
        self : Chain
            The object itself.

        Raises
        ------
        ValueError
            If there is no step, or a name is used twice or holds ``__``.
        TypeError
            If a step is no (name, augmentation) pair.
        """
        super().check()
        if not self.steps:
            raise ValueError("The 'steps' parameter of Chain is empty; give at least one (name, augmentation) pair.")
        for step in self.steps:
            if not (isinstance(step, tuple) and len(step) == 2 and isinstance(step[0], str) and callable(step[1])):
                raise TypeError(f"Each step of a Chain must be a (name, augmentation) tuple. Got {step!r} instead.")
        try:
            self._validate_names([name for name, _ in self.steps])
        except ValueError as error:
            raise ValueError(f"{error}. Give each step of Chain a name of its own, without '__'.") from error
        for name, step in self.steps:
            check_one_view(step, f"step {name!r} of Chain")
        return self

    def _bound(self, spec, device):
        return Chain(merge_neighbors((name, bind(step, spec, device)) for name, step in self.steps))

    def compiled_by(self, compiled):
        """Compile the slow parts of the chain's steps.

        Parameters
        ----------
        compiled : callable
            ``compiled(function, *constants) -> function`` of the arguments after the constants.

        Returns
        -------
        chain : Chain
            Another one; this one is not changed.
        """
        return Chain([(name, compiled_by(step, compiled)) for name, step in self.steps])

    def __call__(self, x, data, generator):
        """Apply every step in turn.

        Shape
        -----
        x : (batch, *sample_shape); data : (n, *sample_shape); returns (batch, *sample_shape)
        """
        for _, step in self.steps:
            x = view_of(step, x, data, generator)
        return x


def check_one_view(augmentation, place):
    """Refuse an augmentation that makes both views in place of one, and check its hyper-parameters."""
    check_instance(augmentation, place)
    if getattr(augmentation, "makes_both_views", False):
        raise TypeError(f"A Pair makes both views; it cannot be {place}. Got {augmentation!r}; put it outermost.")
    check_part(augmentation)
    if not is_component(augmentation):
        check_call(augmentation, place, "x", "data", "generator")


def to_intensities(x):
    """Bytes as intensities, 0 black and 1 white; other values as they are.  # (batch, *sample_shape)"""
    return x.to(torch.float32).div_(255) if x.dtype == torch.uint8 else x
