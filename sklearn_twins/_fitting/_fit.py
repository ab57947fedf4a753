"""One fit: the parts of an embedder resolved, its rows made resident, trained, and the result to be stored."""

import contextlib
import copy
from functools import partial

import joblib
import numpy as np
import torch

from .._inference._collapse import N_ROWS, circumstances, warn_of_collapse
from .._inference._embed import embed
from .._inference._output import N_ROWS as N_SCALED
from .._inference._output import Output, learn_output, passes_columns
from .._inputs._unlabeled import stacked
from .._modalities import MODALITIES
from .._parts._augmentation import bind, compiled_by
from .._parts._two_views import make_views
from .._parts._user_encoder import output_width
from .._persistence._checkpoints import open_checkpoint
from .._persistence._state import Recipe, finish, fitted_state
from .._roles import check_module, check_owner, check_unchanged, is_foreign, resolve_parts
from .._runtime._compile import check_compiler, compile_function
from .._runtime._devices import claim_device, is_out_of_memory, out_of_memory_error
from .._runtime._storage import print_storage, to_storage
from .._runtime._torch_state import choose_seed, count_threads, isolated_torch_state, make_generator, tune_convolutions
from .._training._batches import batch_layout
from .._training._callbacks import check_callbacks
from .._training._distributed import init_process_group
from .._training._net import Diverged
from .._training._trainer import Training
from ._plan import auto_epochs, plan_for
from ._seeds import VALIDATION_ROWS, WEIGHTS, foreign_seeded, generators_of
from ._sklearn_callbacks import FitTasks

N_COMPARED = 64  # rows, of each of several processes that train together


class Fit:
    """One call of `fit` or `partial_fit`, on locals: the embedder itself is only read.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder
        Its parameters, and its fitted state if the fit goes on from there.
    X : array-like
        Training rows, as the caller gave them.
    device : torch.device
        Where to train.
    resume : bool
        Go on from the fitted encoder, with its preprocessor.
    stream : bool
        One more epoch of a stream with no known end (`partial_fit`).
    """

    def __init__(self, embedder, X, device, *, resume, stream):
        self.embedder, self.X, self.resume, self.stream = embedder, X, resume, stream
        self.parts = resolve_parts(embedder)
        self.is_foreign = any(is_foreign(part) for part in self.parts.values())
        check_callbacks(embedder.callbacks, validated=embedder.early_stopping and not stream)
        self.device, self.ranks = device, init_process_group(device)
        self.n_threads = count_threads(embedder.n_jobs)
        # Measured: on a CPU the small networks of tables gain nothing, those of images 4 to 6 %.
        self.compile = embedder.compile and (embedder.modality == "image" or self.device.type == "cuda")
        self.compile = self.compile and self.ranks.size == 1  # nobody has tried what several make of it
        if self.compile:
            with isolated_torch_state(self.device, self.n_threads):
                check_compiler(self.device)
        self.before = getattr(embedder, "_training_state", None) if resume else None
        self.n_done = embedder.n_iter_ if resume else 0
        self.n_streamed = embedder._n_streamed if resume else 0
        if resume:
            self._check_unchanged()
        self.samples = self._samples()
        self.passes = passes_columns(
            embedder.passthrough, self.parts["encoder"], self.preprocessor.spec_, embedder.n_components
        )
        self.n_epochs = self._last_epoch()
        self._check_ranks()
        seed = self.before["seed"] if self.before else choose_seed(embedder.random_state)
        self.seed = int(self.ranks.broadcast(torch.tensor([seed], device=device)))
        self.checkpoint, self.saved = open_checkpoint(self)
        self.circumstances = self.looked_at = None

    def run(self):
        """Train.

        Returns
        -------
        attributes : dict
            The fitted attributes, to be set on the embedder. After an interruption, or a loss that is not finite, from
            which a warm start can go on, they are on the exception, as ``error.attributes``.

        Raises
        ------
        Diverged
            If the loss or a weight is not finite; a `ValueError`.
        MemoryError
            If there is too little memory for a step.
        """
        embedder = self.embedder
        n_saved = len(self.saved["rows"]) if self.saved else 0
        tasks = FitTasks(embedder, self.X, self.n_epochs - self.n_done - n_saved)
        if self.n_epochs == self.n_done:
            attributes = fitted_state(embedder)
            tasks.end(lambda: attributes)
            return attributes
        tuned = tune_convolutions(self.device) if embedder.modality == "image" else contextlib.nullcontext()
        held = self.checkpoint or contextlib.nullcontext()
        with isolated_torch_state(self.device, self.n_threads), tuned, foreign_seeded(self), held:
            self.training = self._training()
            self.samples = None
            if self.checkpoint:
                self.checkpoint.state = self.training.checkpoint_state
            if self.saved:
                self.training.resume(self.saved)
            try:
                self.training.run(tasks.on_epoch_begin, lambda: tasks.on_epoch_end(self._preview))
                self._look()
                attributes = self._attributes()
                tasks.end(lambda: attributes)
            except (KeyboardInterrupt, Diverged) as error:
                if embedder.warm_start and not self.stream and self.training.rewind():
                    error.attributes = self._attributes()
                raise
            except RuntimeError as error:
                if is_out_of_memory(error):
                    raise out_of_memory_error(
                        batch_layout(len(self.training.train), embedder.batch_size)[1], self.device
                    ) from error
                raise
            finally:
                self.training.release()
                self.training = None
        return attributes

    def warn(self):
        """Say so if the fit has ended badly; called when its result is stored, so that nothing is lost."""
        if self.looked_at and self.ranks.is_first:
            warn_of_collapse(self.embedder, *self.looked_at)

    def _look(self):
        """Some training rows, their embedding, and what their projections are like; not at each step of a stream."""
        embedder, training = self.embedder, self.training
        if self.stream:
            return
        samples = self._some_rows(N_ROWS)
        twins = training.net.module_.eval()
        embedding = embed(twins.encoder, samples, embedder.precision, embedder.n_jobs)
        with torch.inference_mode():
            projections = twins.projector(torch.from_numpy(embedding).to(self.device)).float().cpu()
        if np.isfinite(embedding).all() and projections.isfinite().all():
            n = len(training.train)
            self.circumstances = circumstances(projections.numpy(), batch_layout(n, embedder.batch_size)[1], n)
        self.looked_at = samples, embedding

    def _some_rows(self, most):
        """Some training rows, as samples."""
        train = self.training.train
        n = len(train)
        return train[torch.arange(0, n, max(1, n // most), device=self.device)[:most]].cpu().numpy()

    def _output(self, encoder):
        """How `transform` lays out what the trained encoder gives."""
        embedder, spec = self.embedder, self.preprocessor.spec_
        if not self.passes:
            return Output(self.width)
        samples = self._some_rows(N_SCALED)
        return learn_output(embed(encoder, samples, embedder.precision, embedder.n_jobs), samples, spec)

    def _check_unchanged(self):
        embedder, parts = self.embedder, self.parts
        check_unchanged("encoder", embedder._recipe.encoder, parts["encoder"])
        check_unchanged("n_components", embedder._recipe.n_components, embedder.n_components)
        check_unchanged("preprocessor", embedder.preprocessor_, parts["preprocessor"])
        if self.before:
            check_unchanged("projector", self.before["projector_part"], parts["projector"])
            check_unchanged("optimizer", self.before["optimizer_part"], embedder.optimizer)

    def _check_ranks(self):
        """Refuse what several processes cannot share: rows that differ, or batches too small for all of them."""
        ranks, n = self.ranks, len(self.samples)
        if ranks.size == 1:
            return
        some = np.asarray(self.samples[np.linspace(0, n - 1, min(n, N_COMPARED)).astype(int)])
        ranks.check_same_rows(n, int(joblib.hash(some)[:15], 16), self.device)
        size = batch_layout(n, self.embedder.batch_size)[1]
        if size < ranks.size:
            raise ValueError(
                f"batch_size={self.embedder.batch_size} makes batches of {size} rows, which {ranks.size} processes "
                "cannot share. Use larger ones."
            )

    def _samples(self):
        embedder = self.embedder
        self.owner = object.__new__(type(embedder))  # the checks leave their marks on this one
        self.owner.__dict__.update(embedder.__dict__)
        if self.resume:
            self.preprocessor = embedder.preprocessor_
            prepare = getattr(self.preprocessor, "transform_for_fit", self.preprocessor.transform)
            samples = prepare(self.X, owner=self.owner)
        else:
            self.preprocessor = check_owner(self.parts["preprocessor"])
            if hasattr(self.preprocessor, "set_output"):
                self.preprocessor.set_output(transform="default")  # whatever the global configuration says
            samples = self.preprocessor.fit_transform(self.X, owner=self.owner)
        least = 4 if embedder.early_stopping and not self.stream else 2
        if len(samples) < least:
            raise ValueError(
                f"Found array with {len(samples)} sample(s) while a minimum of {least} is required by "
                f"{type(embedder).__name__}" + (" with early_stopping=True." if least == 4 else ".")
            )
        return samples

    def _last_epoch(self):
        embedder = self.embedder
        if self.stream:
            return self.n_done + 1
        n_epochs = embedder.max_epochs
        n_fitted = self.n_done - self.n_streamed
        if n_epochs == "auto":
            n_epochs = max(n_fitted, auto_epochs(len(self.samples), embedder.batch_size, MODALITIES[embedder.modality]))
        if n_epochs < n_fitted:
            raise ValueError(
                f"max_epochs={n_epochs} must be larger than or equal to n_iter_={n_fitted} when warm_start=True: "
                "it counts the epochs of all fits."
            )
        return n_epochs + self.n_streamed

    def _training(self):
        embedder, parts, device = self.embedder, self.parts, self.device
        weights = make_generator(self.seed, WEIGHTS)
        spec = self.preprocessor.spec_
        if self.resume:
            self.recipe = embedder._recipe
            encoder = copy.deepcopy(embedder.encoder_)
            for name, parameter in encoder.named_parameters():
                parameter.requires_grad_(name not in self.recipe.frozen)
        else:
            encoder = check_module("encoder", parts["encoder"].build(spec, embedder.n_components, weights))
            frozen = tuple(name for name, parameter in encoder.named_parameters() if not parameter.requires_grad)
            self.recipe = Recipe(parts["encoder"], spec, embedder.n_components, frozen)
        self.width = embedder._output.width if self.resume else output_width(encoder, spec)
        augmentation = bind(parts["augmentation"], spec, device)
        if self.compile:
            augmentation = compiled_by(augmentation, compile_function)
        train, valid = self._split()
        return Training(
            plan_for(self, train),
            encoder,
            check_module("projector", parts["projector"].build(self.width, weights)),
            parts["objective"],
            lambda x, data, generator: make_views(augmentation, x, data, generator),
            train,
            valid,
            generators_of(self),
            self.before,
            partial(parts["objective"].mix, spec=spec) if hasattr(parts["objective"], "mix") else None,
        )

    def _split(self):
        embedder, samples = self.embedder, self.samples
        place_here = partial(to_storage, samples, self.device, embedder.storage)
        if not embedder.early_stopping or self.stream:
            train, valid = place_here(), None
        else:
            n_valid = min(max(2, round(embedder.validation_fraction * len(samples))), len(samples) - 2)
            generator = make_generator(self.seed, VALIDATION_ROWS)
            order = torch.randperm(len(samples), generator=generator, device="cpu").numpy()
            train, valid = place_here(np.sort(order[n_valid:])), place_here(order[:n_valid])
        if embedder.verbose and not self.stream and self.ranks.is_first:
            print_storage(train, samples)
        return train, valid

    def _preview(self):
        """The fitted attributes in the middle of the run, for callbacks; the encoder is a copy."""
        return self._attributes(copy.deepcopy(self.training.encoder))

    def _attributes(self, encoder=None):
        embedder, training = self.embedder, self.training
        new = training.history()
        history = {name: np.array(column) for name, column in new.items()}
        if self.resume:
            history = append(embedder.history_, history)
        encoder = finish(training.encoder if encoder is None else encoder)
        output = self._output(encoder)
        attributes = {
            "encoder_": encoder,
            "preprocessor_": self.preprocessor,
            "history_": history,
            "loss_curve_": history["loss"].tolist() if "loss" in history else [],
            "n_iter_": self.n_done + len(new["epoch"]),
            "_n_features_out": output.n_features,
            "_output": output,
            "_n_streamed": self.n_streamed + (len(new["epoch"]) if self.stream else 0),
            "_recipe": self.recipe,
            "_circumstances": self.circumstances,
        }
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.owner, name):
                attributes[name] = getattr(self.owner, name)
        if self.stream or embedder.warm_start:
            attributes["_training_state"] = {
                **training.warm_start_state(),
                "seed": self.seed,
                "projector_part": self.parts["projector"],
                "optimizer_part": embedder.optimizer,
            }
        return attributes


def fit_embedder(embedder, X, unlabeled, *, resume, stream):
    """Fit an embedder, and store what comes of it, or the last good epoch that an interrupt or a bad loss leaves.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder
        It is fitted.
    X, unlabeled : array-like
        Training rows, as the caller gave them; `unlabeled` may be None.
    resume, stream : bool
        As of `Fit`.
    """
    try:
        with claim_device(embedder.device, embedder.verbose) as device:
            fit = Fit(embedder, stacked(X, unlabeled), device, resume=resume, stream=stream)
            embedder._store(fit.run())
    except (KeyboardInterrupt, ValueError) as error:
        if hasattr(error, "attributes"):
            embedder._store(error.attributes)
        raise
    if fit.checkpoint:
        fit.checkpoint.remove()
    fit.warn()


def append(old, new):
    """Rows of a history after those of another; NaN in columns that only one of them has."""
    n_old, n_new = len(old["epoch"]), len(new["epoch"])
    return {
        name: np.concatenate([old.get(name, np.full(n_old, np.nan)), new.get(name, np.full(n_new, np.nan))])
        for name in {**old, **new}
    }
