"""Modality: the record that tells the engine everything about one kind of sample."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType

from ._joint_recipe import DENSE, JointRecipe
from ._spec import SampleSpec

ALONE = "Export the encoder alone (preprocessing=False), which takes the samples that `preprocessor_.transform` makes"

# Total variances of an embedding and of the columns next to it. A variance of 1 for each coordinate would be twenty
# times that, and leave a linear classifier with few labels too free.
VARIANCES = (12.0, 6.0)


def no_constant_columns(samples, spec):
    """Samples without columns have no constant ones."""
    return []


def no_parts():
    """A modality without parts of its own."""
    return {}


def is_infinite(x):
    """Which values of an ONNX graph's input `transform` refuses: infinite ones.  # (rows, ...), bool"""
    return x.abs() == math.inf  # not isinf, which graphs compute in float32


def no_names(preprocessor):
    """A modality whose X has no names of columns."""
    return []


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
    names : callable
        ``names(preprocessor, input_features) -> list of str``, one for each column; they need not be unique.
    make_module : callable
        ``make_module(spec) -> nn.Module`` that does the same as `write`, for ONNX: samples -> (n, count).
    put_beside : callable or None, default=None
        ``put_beside(network, spec) -> nn.Module or None``: a network that returns the columns next to its output, if it
        computes them anyway; samples -> (n, n_components + count). None if it does not.
    variances : (float, float), default=(12, 6)
        Total variances of the embedding and of the columns.
    """

    count: Callable
    write: Callable
    are_numbers: Callable
    names: Callable
    make_module: Callable
    put_beside: Callable | None = None
    variances: tuple = VARIANCES


@dataclass(frozen=True)
class Stored:
    """File schema of a modality: its classes, and the attributes of their objects.

    Parameters
    ----------
    preprocessor : type
        Class of the preprocessor.
    fitted : dict of str to predicate
        Attributes of a fitted preprocessor, without those that all have; see `_parts/_stored_state.py`.
    classes : dict of type to dict
        Other classes whose objects files hold, each with predicates of its attributes. Components that are public need
        not be listed.
    check : callable
        ``check(preprocessor)`` raises an UnreadableFileError if a fitted preprocessor's attributes contradict each
        other.
    blank_row : callable or None, default=None
        ``blank_row(preprocessor) -> X`` of one row, which a loaded embedder transforms as a test. None if that is too
        expensive; the network is then tried out on torch's meta device.
    optional : dict of str to predicate, default={}
        Attributes that only some fitted preprocessors have.
    """

    preprocessor: type
    fitted: dict
    classes: dict
    check: Callable
    blank_row: Callable | None = None
    optional: dict = field(default_factory=dict)


@dataclass(frozen=True)
class OnnxFront:
    """The part of an ONNX graph in front of the encoder.

    Parameters
    ----------
    read_rows : callable
        ``read_rows(preprocessor) -> (module, rows)``: the nn.Module that turns X into samples, and two rows of X.
        Raises a ValueError if the preprocessor is more than arithmetic. A module may have a method `is_refused`, which
        then takes the place of the record's, and `free_axes`, a tuple of int: axes of its input, counted with the batch
        axis, that may have any length.
    read_samples : callable
        ``read_samples(preprocessor) -> (module, samples)``: the nn.Module that prepares samples for the encoder, and
        two samples. As above.
    column_names : callable
        ``column_names(preprocessor) -> list of str`` for the graph's metadata.
    is_refused : callable
        ``is_refused(x) -> bool tensor`` of the shape of the input x: values that `transform` refuses. Their rows become
        NaN.
    """

    read_rows: Callable
    read_samples: Callable
    column_names: Callable = no_names
    is_refused: Callable = is_infinite


@dataclass(frozen=True)
class FittedPart:
    """What a fit leaves of one kind of samples.

    Parameters
    ----------
    preprocessor : component
        Fitted.
    spec : SampleSpec
        Spec of the samples.
    encoder : component
        Builds the network.
    n_components : int or None
        Width of the embedding; None for the encoder's own.
    output : Output
        Layout and scales of the output.
    name : str, default=""
        Name of the view.
    place : str, default="encoder"
        Where the embedder's parameters hold the encoder, for messages.
    network : str, default=""
        Place of the network in the trained module; "" for the module itself.
    projector : component or None, default=None
        Builds the projector, if that stays with the encoder.
    projector_network : str, default=""
        Place of the projector's network in the trained module.
    projection_dim : int or None, default=None
        Width of its output.
    """

    preprocessor: object
    spec: SampleSpec
    encoder: object
    n_components: int | None
    output: object
    name: str = ""
    place: str = "encoder"
    network: str = ""
    projector: object = None
    projector_network: str = ""
    projection_dim: int | None = None


@dataclass(frozen=True)
class Composite:
    """How the fitted state of samples that consist of several views is divided into one state for each view.

    Parameters
    ----------
    check : callable
        ``check(spec, encoder, preprocessor, output)`` raises an UnreadableFileError if they contradict each other.
    divide : callable
        ``divide(spec, encoder, preprocessor, output) -> list of FittedPart``, one for each view.
    join_graphs : callable
        ``join_graphs(graphs, examples, columns, preprocessor, output, preprocessing) -> (module, inputs, columns)``
        puts the ONNX graphs of some views side by side. It takes dicts by the views' names: graphs, two rows of the
        input of each, and names of its columns. It returns the joined nn.Module, a dict of two rows for each of its
        inputs by their names, and names of columns for the graph's metadata.
    """

    check: Callable
    divide: Callable
    join_graphs: Callable


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
    optimizer : str, default="adamw"
        Optimizer that "auto" stands for.
    n_steps : int, default=1_000
        Optimizer steps that ``max_epochs="auto"`` aims at.
    epochs : (int, int), default=(5, 200)
        Bounds of ``max_epochs="auto"``.
    convolutional : bool, default=False
        Whether networks are convolutions: cuDNN then tries its kernels in a fit, and ``compile=True`` pays on a CPU.
    joint : JointRecipe, default=DENSE
        Numbers of the joint training with labels.
    passthrough : Passthrough or None, default=None
        Columns that can stand next to the embedding.
    learn_output : callable or None, default=None
        ``learn_output(encoder, samples, spec, precision, n_jobs) -> Output`` from some training samples, for
        modalities whose output is more than the embedding and columns.
    constant_columns : callable, default=no_constant_columns
        ``constant_columns(samples, spec) -> list of int``, the columns of X that are constant in all samples.
    stackable : bool, default=False
        Whether networks of several fits can be trained as one stack.
    stored : callable or None, default=None
        Without arguments, returns a `Stored`. None if embedders of this modality cannot be saved.
    onnx : callable or None, default=None
        Without arguments, returns an `OnnxFront`. None if ONNX graphs begin with samples.
    sample_ndim : int or None, default=None
        Number of axes of a sample, by which `ViewsDisplay` recognises samples that are given to it as arrays.
    composite : callable or None, default=None
        Without arguments, returns a `Composite`. None if samples are of one kind.
    embed_frames : callable or None, default=None
        ``embed_frames(network, samples, spec, embed) -> (frames, times)`` embeds each step of samples by a trained
        network: float32 arrays of shape (n, n_frames, n_components), NaN where a step is missing, and (n_frames,).
        ``embed(module, samples, spec)`` embeds samples in blocks. None if samples have no steps.
    draw_views : callable or None, default=None
        ``draw_views(pictures, titles, make_axes, names, n_codes) -> (image, marks)`` draws samples and views of them,
        ``pictures``, arrays of shape (n, *sample_shape), next to each other under their titles.
        ``make_axes(figsize)`` returns the matplotlib Axes; names and n_codes are those of `ViewsDisplay`. None if
        samples cannot be drawn.
    """

    name: str
    spec: type
    defaults: dict = field(default_factory=dict)
    preprocessors: Callable = no_parts
    augmentations: Callable = no_parts
    encoders: Callable = no_parts
    encoder_families: Callable = no_parts
    optimizer: str = "adamw"
    n_steps: int = 1_000
    epochs: tuple = (5, 200)
    convolutional: bool = False
    joint: JointRecipe = DENSE
    passthrough: Passthrough | None = None
    learn_output: Callable | None = None
    constant_columns: Callable = no_constant_columns
    stackable: bool = False
    stored: Callable | None = None
    onnx: Callable | None = None
    sample_ndim: int | None = None
    composite: Callable | None = None
    embed_frames: Callable | None = None
    draw_views: Callable | None = None

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
