"""Prepare a fit: check X and turn it into samples; settle the number of epochs, the seed and the checkpoint."""

from dataclasses import dataclass

import torch

from .._inference._output import passes_columns
from .._modalities import MODALITIES
from .._persistence._checkpoints import Checkpoint, fingerprint, open_checkpoint
from .._persistence._state import Recipe
from .._roles import check_owner, check_unchanged
from .._runtime._compile import check_compiler
from .._runtime._printing import print_line
from .._runtime._seeds import choose_seed
from .._runtime._torch_state import count_threads, isolated_torch_state
from .._training._distributed import ProcessGroup, current_process_group
from ._agreement import check_agreement
from ._plan import auto_epochs


@dataclass(frozen=True)
class Previous:
    """The result of an earlier fit, for a fit that continues it.

    Parameters
    ----------
    encoder : nn.Module
        Trained so far.
    preprocessor : component
        Fitted.
    recipe : Recipe
        How the encoder was built.
    width : int
        Width of the encoder's output.
    history : dict of str to ndarray
        Epochs so far.
    n_epochs, n_streamed : int
        Number of epochs so far, and how many of them `partial_fit` made.
    training_state : dict or None
        Projector, optimizer and generators; None if they were not kept, and are new then.
    """

    encoder: torch.nn.Module
    preprocessor: object
    recipe: Recipe
    width: int
    history: dict
    n_epochs: int
    n_streamed: int
    training_state: dict | None


@dataclass(frozen=True)
class Samples:
    """Samples that the preprocessor of an earlier fit has made already; they take the place of X.

    Parameters
    ----------
    array : ndarray or lazy samples of shape (n, *sample_shape)
        The samples.
    """

    array: object


@dataclass(frozen=True)
class Environment:
    """Where and how torch computes.

    Parameters
    ----------
    device : torch.device
        Where to train.
    process_group : ProcessGroup
        The processes that train together.
    n_threads : int
        CPU threads of one operation.
    compile : bool
        Whether to compile networks and views.
    convolutional : bool
        Whether networks are convolutions.
    """

    device: torch.device
    process_group: ProcessGroup
    n_threads: int
    compile: bool
    convolutional: bool


@dataclass(frozen=True)
class Prepared:
    """A fit that is ready to be built.

    Parameters
    ----------
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        The training rows; None once they are where training reads them.
    preprocessor : component
        Fitted.
    columns : dict
        `n_features_in_` and `feature_names_in_` of X, as far as known.
    passes_columns : bool
        Whether `transform` puts columns next to the embedding.
    first_epoch, last_epoch : int
        Epochs done, and epochs to have done in the end.
    seed : int
        Seed of all generators.
    groups : ndarray of shape (n,), int64, or None
        Group of each row.
    checkpoint : Checkpoint or None
        Where finished epochs are saved.
    saved : dict or None
        Epochs found in the checkpoint.
    """

    samples: object
    preprocessor: object
    columns: dict
    passes_columns: bool
    first_epoch: int
    last_epoch: int
    seed: int
    groups: object = None
    checkpoint: Checkpoint | None = None
    saved: dict | None = None

    @property
    def spec(self):
        """Spec of the samples."""
        return self.preprocessor.spec_


def make_environment(settings, device):
    """Settle device, processes, threads and compilation.

    Parameters
    ----------
    settings : namespace
        Parameters of the estimator.
    device : torch.device
        Where to train.

    Returns
    -------
    environment : Environment
    """
    group, n_threads = current_process_group(), count_threads(settings.n_jobs)
    convolutional = MODALITIES[settings.modality].convolutional
    # Measured: on a CPU small networks of tables gain nothing from compilation, those of images 4 to 6 %. Compilation
    # with several processes has not been tried.
    compiles = settings.compile and (convolutional or device.type == "cuda") and group.size == 1
    if compiles:
        with isolated_torch_state(device, n_threads):
            check_compiler(device)
    return Environment(device, group, n_threads, compiles, convolutional)


def prepare(settings, parts, X, owner, environment, previous=None, stream=False, groups=None, joint=None):
    """Check everything that can be checked before training, and turn X into samples.

    Parameters
    ----------
    settings : namespace
        Parameters of the estimator.
    parts : dict of str to component
        The resolved parts.
    X : array-like
        Training rows.
    owner : estimator
        Messages name it. It is unfitted and receives the attributes of X's columns, or fitted by the previous fit.
    environment : Environment
        Device and processes.
    previous : Previous or None, default=None
        The fit to continue.
    stream : bool, default=False
        Whether this is one epoch of `partial_fit`.
    groups : ndarray of shape (n,), int64, or None, default=None
        Group of each row.
    joint : Joint or None, default=None
        Labels of a joint training.

    Returns
    -------
    prepared : Prepared
    """
    if previous:
        check_parts_unchanged(settings, parts, previous)
    holds_out = settings.early_stopping and not stream
    preprocessor, samples = make_samples(parts["preprocessor"], X, owner, previous)
    check_n_samples(len(samples), type(owner).__name__, holds_out)
    if groups is not None:
        check_groups(groups, len(samples), settings.verbose and environment.process_group.is_first)
    passes = passes_columns(settings.passthrough, parts["encoder"], preprocessor.spec_, settings.n_components)
    first, last = count_epochs(settings, len(samples), previous, stream)
    check_agreement(
        environment.process_group,
        owner,
        samples,
        preprocessor.spec_,
        previous,
        settings.batch_size,
        groups,
        joint and joint.content,
    )
    seed = previous.training_state["seed"] if previous and previous.training_state else None
    seed = choose_seed(settings.random_state) if seed is None else seed
    seed = int(environment.process_group.broadcast(torch.tensor([seed], device=environment.device)))
    columns = {name: value for name, value in vars(owner).items() if name in ("n_features_in_", "feature_names_in_")}
    prepared = Prepared(samples, preprocessor, columns, passes, first, last, seed, groups)
    if settings.checkpoint is None or stream:
        return prepared
    return with_checkpoint(prepared, settings, owner, environment.process_group, previous, joint)


def make_samples(preprocessor, X, owner, previous):
    """Fit the preprocessor to X, unless it is an earlier fit's, and make samples.

    Returns
    -------
    preprocessor : component
        Fitted.
    samples : ndarray or lazy samples of shape (n, *sample_shape)
    """
    if isinstance(X, Samples):
        return previous.preprocessor, X.array
    if previous:
        preprocessor = previous.preprocessor
        transform = getattr(preprocessor, "transform_for_fit", preprocessor.transform)
        return preprocessor, transform(X, owner=owner)
    check_owner(preprocessor)
    if hasattr(preprocessor, "set_output"):
        preprocessor.set_output(transform="default")  # whatever the global configuration says
    return preprocessor, preprocessor.fit_transform(X, owner=owner)


def check_n_samples(n, name, holds_out):
    """Refuse too few rows."""
    least = 4 if holds_out else 2
    if n < least:
        raise ValueError(
            f"Found array with {n} sample(s) while a minimum of {least} is required by {name}"
            + (" with early_stopping=True." if holds_out else ".")
        )


def check_groups(groups, n, verbose):
    """Refuse groups of more rows than there are samples, and say how many rows have no partner."""
    if len(groups) != n:
        raise ValueError(
            f"groups has {len(groups)} values, and {n} samples are left of X: broken files were skipped. Leave them "
            "out of X and groups first."
        )
    n_alone = int((torch.bincount(torch.from_numpy(groups)) == 1).sum())
    if verbose and n_alone:
        print_line(f"{n_alone:,} of {n:,} rows are alone in their group: both of their views are made from them")


def check_parts_unchanged(settings, parts, previous):
    """Refuse to continue with parts or an optimizer other than those of the fit before."""
    check_unchanged("encoder", previous.recipe.encoder, parts["encoder"])
    check_unchanged("n_components", previous.recipe.n_components, settings.n_components)
    check_unchanged("preprocessor", previous.preprocessor, parts["preprocessor"])
    if previous.training_state:
        check_unchanged("projector", previous.training_state["projector_part"], parts["projector"])
        check_unchanged("optimizer", previous.training_state["optimizer_part"], settings.optimizer)


def count_epochs(settings, n, previous, stream):
    """Number of epochs done, and of epochs to have done in the end.

    Raises
    ------
    ValueError
        If `max_epochs` is below the number of epochs that a warm start has done.
    """
    done, streamed = (previous.n_epochs, previous.n_streamed) if previous else (0, 0)
    if stream:
        return done, done + 1
    n_epochs, n_fitted = settings.max_epochs, done - streamed
    if n_epochs == "auto":
        n_epochs = max(n_fitted, auto_epochs(n, settings.batch_size, settings.modality))
    if n_epochs < n_fitted:
        raise ValueError(
            f"max_epochs={n_epochs} must be larger than or equal to n_iter_={n_fitted} when warm_start=True: "
            "it counts the epochs of all fits."
        )
    return done, n_epochs + streamed


def with_checkpoint(prepared, settings, owner, group, previous, joint=None):
    """The prepared fit with its checkpoint, and what an interrupted run of the same fit has saved there.

    Raises
    ------
    ValueError
        If several processes train together, or the directory or its files cannot be used.
    """
    if group.size > 1:
        raise ValueError(
            f"checkpoint={str(settings.checkpoint)!r} works in a fit by one process, and {group.size} train together "
            "here. Use checkpoint=None."
        )
    state = previous and previous.training_state
    before = previous and (previous.n_epochs, previous.n_streamed, previous.encoder, state and state["seed"])
    before = before if prepared.groups is None else (before, prepared.groups)
    before = before if joint is None else (before, joint.content)
    digest = fingerprint(owner, before, prepared.samples, prepared.spec)
    seed = None if settings.random_state is None and state is None else prepared.seed
    checkpoint, saved = open_checkpoint(settings.checkpoint, digest, settings.checkpoint_minutes, seed)
    if saved and settings.verbose:
        n_done = prepared.first_epoch + len(saved["rows"])
        print_line(f"{n_done} epoch{'s' * (n_done != 1)} found in {checkpoint.path}; going on")
    seed = saved["seed"] if saved else prepared.seed
    return Prepared(**{**vars(prepared), "seed": seed, "checkpoint": checkpoint, "saved": saved})
