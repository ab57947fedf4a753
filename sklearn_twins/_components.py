"""What the parts of an embedder have in common: Component, Augmentation, Chain, and what samples are made of."""

import copy
from dataclasses import dataclass, field

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import _BaseComposition

from ._checks import check_call, check_instance, check_part, is_component, is_module, refuse_booleans
from ._notebook import PartMixin


def embedding_width(n_codes):
    """Width of the embedding of a column of so many codes: one for each category, which two are not, but 1 to 32."""
    return max(1, min(32, n_codes - 2))


@dataclass(frozen=True)
class SampleSpec:
    """What a network has to know of the samples it will receive.

    Parameters
    ----------
    shape : tuple of int
        The shape of one sample without the batch axis: (columns,) of a table, the numbers first, then the codes of
        categories; (channels, height, width) of an image.
    missing : tuple of int, default=()
        Numbers of a table's sample that are missing in some training rows. A missing number
        is NaN in the sample; networks mark it instead of guessing it.
    categories : tuple of int, default=()
        For each categorical column, how many codes it has: 0 for a missing value, 1 for one that was not seen in
        training, then the categories.
    sources : tuple of int, default=()
        For each column of a sample, the column of X that it was made of, if some were made of the same one (the
        parts of a date); empty if none were.
    edges : tuple of tuples of float, default=()
        For each number, the edges of 32 bins with equally many training rows. Left out of comparisons.
    clip : float or None, default=None
        Bound of a table's numbers, if they are softly clipped: ``z / sqrt(1 + (z / clip)^2)`` of a scaled number z.
    mean, std : tuple of float, default=()
        For each channel of an image, mean and standard deviation of its intensity in the training images, where 0 is
        black and 1 is white.

    Examples
    --------
    >>> from sklearn_twins.preprocessing import TablePreprocessor
    >>> spec = TablePreprocessor().fit([[0.5, "a"], [1.5, "b"], [None, "a"]]).spec_
    >>> spec.shape, spec.missing, spec.categories
    ((2,), (0,), (4,))
    """

    shape: tuple
    missing: tuple = ()
    categories: tuple = ()
    sources: tuple = ()
    edges: tuple = field(default=(), repr=False, compare=False)
    clip: float | None = None
    mean: tuple = ()
    std: tuple = ()

    def __getstate__(self):  # floats one by one take skops 200 bytes each
        return {**vars(self), "edges": np.array(self.edges, dtype=np.float64)}

    def __setstate__(self, state):
        self.__dict__.update(state, edges=tuple(map(tuple, state["edges"].tolist())))

    @property
    def is_image(self):
        """Whether a sample is an image."""
        return len(self.shape) == 3

    @property
    def n_numbers(self):
        """Numbers in one sample of a table; what follows are codes."""
        return self.shape[0] - len(self.categories)

    @property
    def n_inputs(self):
        """Numbers that an encoder receives for one sample of a table.

        The sample's own numbers, marks of those that are missing, and the embeddings of its categories.
        """
        return self.n_numbers + len(self.missing) + sum(map(embedding_width, self.categories))


class Component(PartMixin, BaseEstimator):
    """A part of an embedder: hyper-parameters only, no weights and no fitted state.

    Being a scikit-learn `BaseEstimator`, a component is cloned, pickled, printed and searched
    exactly; what is built from it (a network, a view, a number) belongs to the fit that asked.
    """

    _parameter_constraints: dict = {}

    def check(self):
        """Refuse hyper-parameters out of range.

        Returns
        -------
        self : Component
            The object itself.

        Raises
        ------
        InvalidParameterError
            A `ValueError` that names the parameter, the component and what is allowed.
        """
        self._validate_params()
        refuse_booleans(self)
        return self


class Augmentation(Component):
    """What makes a view: called as ``augmentation(x, data, generator)``.

    As it stands, an augmentation takes a sample's columns for numbers that do not depend on each other. `bind` tells it
    what they are.
    """

    def bind(self, spec, device):
        """The augmentation of samples that `spec` describes.

        Parameters
        ----------
        spec : SampleSpec
            What a sample is made of.
        device : torch.device
            Where the views are made.

        Returns
        -------
        augmentation : callable
            ``(x, data, generator) -> view``; the augmentation itself, if columns are all alike to it.
        """
        return self._bound(spec, device)

    def _bound(self, spec, device):
        """What `bind` returns; for subclasses to say."""
        return self


def bind(augmentation, spec, device):
    """Tell an augmentation what samples are made of, if it wants to know; a callable of the user's does not.

    Of a torch module with tensors of its own, a copy is taken to the device.
    """
    if is_module(augmentation) and any(True for _ in (*augmentation.parameters(), *augmentation.buffers())):
        return copy.deepcopy(augmentation).to(device)
    return augmentation.bind(spec, device) if hasattr(augmentation, "bind") else augmentation


def compiled_by(augmentation, compiled):
    """A bound augmentation, what pays in it compiled by ``compiled(function, *constants)``; others stay as they are."""
    return augmentation.compiled_by(compiled) if hasattr(augmentation, "compiled_by") else augmentation


def view_of(augmentation, x, data, generator):
    """One view; a torch module of the user's, which knows of no other arguments, is called with the batch alone."""
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
        return view  # which is refused, by name
    return view.clone() if view.data_ptr() == x.data_ptr() else view


def moved_towards(x, other, share, n_numbers, generator):
    """Rows on their way to other rows.

    Numbers are moved by `share` of the way; where the other row's is missing, the row keeps its own. What is behind the
    first `n_numbers` (None: nothing) has nothing in between: it is the other row's with probability `share`.

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


def fused(steps):
    """Bound steps of a chain, neighbours put together where the first one's ``fused_with(next)`` is not None."""
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
        Names and augmentations, in the order of application. The names reach the steps'
        parameters: ``chain.set_params(noise__scale=0.2)``.

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
        a_class = any(isinstance(part, type) for step in steps for part in step)  # refused by `check`, with a name
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
        return Chain(fused((name, bind(step, spec, device)) for name, step in self.steps))

    def compiled_by(self, compiled):
        """The chain with what pays in its steps compiled.

        Parameters
        ----------
        compiled : callable
            ``compiled(function, *constants) -> function`` of what follows the constants.

        Returns
        -------
        chain : Chain
            Another one; this one is left as it is.
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
    """Refuse an augmentation that makes both views where one is made, and let it check its hyper-parameters."""
    check_instance(augmentation, place)
    if getattr(augmentation, "makes_both_views", False):
        raise TypeError(f"A Pair makes both views; it cannot be {place}. Got {augmentation!r}; put it outermost.")
    check_part(augmentation)
    if not is_component(augmentation):
        check_call(augmentation, place, "x", "data", "generator")
