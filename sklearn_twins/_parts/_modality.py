"""Modality: the record that tells the engine everything about one kind of sample."""

from dataclasses import dataclass, field
from types import MappingProxyType

from ._spec import SampleSpec

ALONE = "Export the encoder alone (preprocessing=False), which takes the samples that `preprocessor_.transform` makes"


def no_constant_columns(samples, spec):
    """Samples without columns have no constant ones."""
    return []


def no_parts():
    """A modality without parts of its own."""
    return {}


@dataclass(frozen=True)
class Passthrough:
    """Columns of a sample that `transform` puts next to the embedding.

    Parameters
    ----------
    count : callable
        ``count(spec) -> int``, the number of columns.
    write : callable
        ``write(samples, spec, out)`` writes them into a float32 array of shape (n, count).
    are_numbers : callable
        ``are_numbers(spec) -> bool ndarray of shape (count,)``: columns to be scaled to equal variance; others, such as
        one-hot codes, keep their own.
    make_module : callable
        ``make_module(spec) -> nn.Module`` that does the same as `write`, for ONNX: samples -> (n, count).
    """

    count: callable
    write: callable
    are_numbers: callable
    make_module: callable


@dataclass(frozen=True)
class Modality:
    """Everything the engine has to know about one kind of sample.

    A record is light: functions of it import torch when they are called.

    Parameters
    ----------
    name : str
        Value of the parameter `modality`.
    spec : type
        Subclass of `SampleSpec`. A fit whose preprocessor has a ``spec_`` of this type belongs to this record, whatever
        `modality` says; `modality` decides about defaults only.
    defaults : dict of str to str
        Name that "auto" stands for, by role: "preprocessor", "augmentation", "encoder" (and others, if they differ
        from the role's own default).
    preprocessors, augmentations, encoders : callable
        Without arguments, return a dict: name of a part -> callable that makes it with its default parameters.
    encoder_families : callable
        Without arguments, returns a dict: prefix of names with a colon ("timm:NAME") -> callable ``NAME -> encoder``.
    n_steps : int, default=1_000
        Optimizer steps that ``max_epochs="auto"`` aims at.
    epochs : (int, int), default=(5, 200)
        Bounds of ``max_epochs="auto"``.
    convolutional : bool, default=False
        Whether networks are convolutions: cuDNN then tries its kernels in a fit, and ``compile=True`` pays on a CPU.
    passthrough : Passthrough or None, default=None
        Columns that can stand next to the embedding.
    constant_columns : callable, default=no_constant_columns
        ``constant_columns(samples, spec) -> list of int``, the columns of X that are constant in all samples.
    stackable : bool, default=False
        Whether networks of several fits can be trained as one stack.
    """

    name: str
    spec: type
    defaults: dict = field(default_factory=dict)
    preprocessors: callable = no_parts
    augmentations: callable = no_parts
    encoders: callable = no_parts
    encoder_families: callable = no_parts
    n_steps: int = 1_000
    epochs: tuple = (5, 200)
    convolutional: bool = False
    passthrough: Passthrough | None = None
    constant_columns: callable = no_constant_columns
    stackable: bool = False

    def parts(self, role):
        """Parts of this modality in a role.

        Parameters
        ----------
        role : str
            Name of the embedder's parameter.

        Returns
        -------
        parts : dict of str to callable
        """
        by_role = {"preprocessor": self.preprocessors, "augmentation": self.augmentations, "encoder": self.encoders}
        return by_role.get(role, no_parts)()


OTHER = Modality(name="other", spec=SampleSpec, defaults=MappingProxyType({}))
