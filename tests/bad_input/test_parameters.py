"""What a parameter must not be: the name, the value and the remedy, before any step, and nothing half-fitted."""

import copy
import inspect
from functools import partial

import numpy as np
import pytest
import torch
from builders import small_embedder, small_table
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, Checkpoint, EarlyStopping, InputShapeSetter, LRScheduler
from torch import nn

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.augmentations import Chain, GaussianNoise, Identity, MarginalCorruption, Masking, Mixup, Pair
from sklearn_twins.networks import (
    ConvNetEncoder,
    IdentityProjector,
    ImageResNetEncoder,
    MLPEncoder,
    MLPProjector,
    Periodic,
    PiecewiseLinear,
    ResNetEncoder,
    TimmEncoder,
)
from sklearn_twins.objectives import HSIC, SSLHSIC, BarlowTwins, InfoNCE, MixedBarlowTwins, VICReg
from sklearn_twins.preprocessing import TablePreprocessor

nan, inf = float("nan"), float("inf")


class Nothing:
    """An object that is no part of anything."""

    def __repr__(self):
        return "Nothing()"


class NoModule:
    """An encoder recipe that builds no module."""

    def build(self, spec, n_components, generator):
        return 3


# parameter -> values that it must not have; the message holds both
WRONG_VALUES = {
    "n_components": [0, -1, 1.5, "auto"],
    "modality": ["video", None, ["tabular"]],
    "preprocessor": ["nonsense", None, 3],
    "augmentation": ["nonsense", None, 3],
    "encoder": ["nonsense", None, 3],
    "projector": ["nonsense", None, 3],
    "objective": ["nonsense", None, 3],
    "optimizer": ["adam", None],
    "learning_rate": [0, -0.1, nan, inf, "fast", None, True],
    "weight_decay": [-1, inf, "auto", False],
    "lr_schedule": ["nonsense", "stream", None],
    "max_epochs": [0, -3, 1.5, "many", None, True],
    "batch_size": [1, 2.5, None, True],
    "early_stopping": ["yes", None],
    "pair_rate": [0.0, 1.5, "a", nan],
    "validation_fraction": [0, 1, 1.5, "a", nan],
    "n_iter_no_change": [0, 1.5, True],
    "tol": [-1, None, inf],
    "warm_start": ["no"],
    "callbacks": [3, "print", {"a": 1}],
    "device": ["nonsense", "cuda:99", "cpu:x", "meta", 3, None],
    "precision": ["float16", None],
    "n_jobs": ["a", 1.5, 0, True],
    "random_state": ["a", -1, 1.5, 2**40],
    "verbose": [-1, "loud", 1.5],
    "passthrough": ["yes", None],
    "checkpoint": [3, True],
    "checkpoint_minutes": [-1, "1", None, nan],
    "storage": ["disk", None],
    "compile": ["yes", None],
}
# parameters -> what the message has to hold: the parameter, the value where it is short enough, and often the remedy
PARAMETERS = [
    *(({name: value}, name, repr(value)) for name, values in WRONG_VALUES.items() for value in values),
    ({"preprocessor": Nothing()}, "preprocessor", "Nothing()"),
    ({"preprocessor": TablePreprocessor}, "preprocessor", "TablePreprocessor"),
    ({"preprocessor": TablePreprocessor(clip=0)}, "clip", "TablePreprocessor", "0"),
    ({"preprocessor": TablePreprocessor(clip=-1.0)}, "clip", "TablePreprocessor", "-1.0"),
    ({"preprocessor": TablePreprocessor(clip=inf)}, "clip", "TablePreprocessor", "inf"),
    ({"preprocessor": TablePreprocessor(clip="3")}, "clip", "TablePreprocessor", "'3'"),
    ({"preprocessor": TablePreprocessor(scaling="rank")}, "scaling", "TablePreprocessor", "'rank'"),
    ({"preprocessor": TablePreprocessor(max_categories=1)}, "max_categories", "TablePreprocessor", "1"),
    ({"preprocessor": TablePreprocessor(max_dense_bytes=-1)}, "max_dense_bytes", "TablePreprocessor", "-1"),
    ({"preprocessor": TablePreprocessor("all")}, "categorical_features", "TablePreprocessor", "'all'"),
    ({"preprocessor": TablePreprocessor([7])}, "categorical_features=[7]", "5 columns"),
    ({"preprocessor": TablePreprocessor(["age"])}, "categorical_features=['age']", "'age'", "no names"),
    ({"preprocessor": TablePreprocessor([True])}, "categorical_features=[True]", "mask of 1"),
    ({"preprocessor": TablePreprocessor([1.5])}, "categorical_features=[1.5]", "indices"),
    ({"augmentation": Nothing()}, "augmentation", "Nothing()"),
    ({"augmentation": MarginalCorruption}, "augmentation", "MarginalCorruption"),
    ({"augmentation": MarginalCorruption(corruption_rate=2)}, "corruption_rate", "MarginalCorruption", "2"),
    ({"augmentation": MarginalCorruption(corruption_rate=-0.1)}, "corruption_rate", "-0.1"),
    ({"augmentation": MarginalCorruption(corruption_rate=nan)}, "corruption_rate", "nan"),
    ({"augmentation": MarginalCorruption(corruption_rate="a")}, "corruption_rate", "'a'"),
    ({"augmentation": Masking(mask_rate=1.5)}, "mask_rate", "Masking", "1.5"),
    ({"augmentation": Masking(mask_rate=None)}, "mask_rate", "Masking", "None"),
    ({"augmentation": GaussianNoise(scale=-1)}, "scale", "GaussianNoise", "-1"),
    ({"augmentation": GaussianNoise(scale=nan)}, "scale", "GaussianNoise", "nan"),
    ({"augmentation": GaussianNoise(scale=inf)}, "scale", "GaussianNoise", "inf"),
    ({"augmentation": Mixup(max_weight=2)}, "max_weight", "Mixup", "2"),
    ({"augmentation": Chain([])}, "steps", "Chain"),
    ({"augmentation": Chain("noise")}, "steps", "Chain", "'noise'"),
    ({"augmentation": Chain([GaussianNoise()])}, "Chain", "GaussianNoise()"),
    ({"augmentation": Chain([("a", 3)])}, "Chain", "('a', 3)"),
    ({"augmentation": Chain([("a", GaussianNoise(), 1)])}, "Chain", "GaussianNoise()"),
    ({"augmentation": Chain([("a", Identity()), ("a", Masking())])}, "unique", "'a'"),
    ({"augmentation": Chain([("a__b", Identity())])}, "__", "a__b"),
    ({"augmentation": Chain([("steps", Identity())])}, "steps"),
    ({"augmentation": Chain([("a", Masking(mask_rate=2))])}, "mask_rate", "Masking", "2"),
    ({"augmentation": Chain([("a", Masking)])}, "Masking"),
    ({"augmentation": Pair(3, Identity())}, "view_a", "Pair", "3"),
    ({"augmentation": Pair(Identity(), "masking")}, "view_b", "Pair", "'masking'"),
    ({"augmentation": Pair(Identity(), Mixup(max_weight=-1))}, "max_weight", "Mixup", "-1"),
    ({"augmentation": Pair(Identity(), Masking)}, "Masking"),
    ({"encoder": MLPEncoder}, "encoder", "MLPEncoder"),
    ({"encoder": MLPEncoder(hidden_dims=())}, "hidden_dims", "MLPEncoder"),
    ({"encoder": MLPEncoder(hidden_dims=(0,))}, "hidden_dims", "MLPEncoder", "(0,)"),
    ({"encoder": MLPEncoder(hidden_dims=(8, -1))}, "hidden_dims", "MLPEncoder", "(8, -1)"),
    ({"encoder": MLPEncoder(hidden_dims=(1.5,))}, "hidden_dims", "MLPEncoder", "(1.5,)"),
    ({"encoder": MLPEncoder(hidden_dims=("8",))}, "hidden_dims", "MLPEncoder", "('8',)"),
    ({"encoder": MLPEncoder(hidden_dims=8)}, "hidden_dims", "MLPEncoder", "8"),
    ({"encoder": MLPEncoder(hidden_dims=None)}, "hidden_dims", "MLPEncoder", "None"),
    ({"encoder": MLPEncoder(expansion="fourier")}, "expansion", "MLPEncoder", "'fourier'"),
    ({"encoder": MLPEncoder(expansion=PiecewiseLinear)}, "expansion", "PiecewiseLinear"),
    ({"encoder": MLPEncoder(expansion=PiecewiseLinear(n_bins=7))}, "n_bins", "PiecewiseLinear", "7"),
    ({"encoder": MLPEncoder(expansion=Periodic(frequency_scale=0))}, "frequency_scale", "Periodic", "0"),
    ({"encoder": ResNetEncoder(width=0)}, "width", "ResNetEncoder", "0"),
    ({"encoder": ResNetEncoder(n_blocks=0)}, "n_blocks", "ResNetEncoder", "0"),
    ({"encoder": ResNetEncoder(expansion=Periodic(width=0))}, "width", "Periodic", "0"),
    ({"encoder": NoModule()}, "encoder"),
    ({"encoder": lambda spec: 3}, "encoder", "int"),
    ({"encoder": nn.Linear(3, 2)}, "encoder", "5"),
    ({"encoder": nn.Unflatten(1, (5, 1))}, "encoder", "(2, 5, 1)"),
    ({"encoder": nn.Linear(5, 2), "n_components": 3}, "n_components", "3", "2"),
    ({"encoder": lambda spec: nn.Linear(spec.n_inputs, 2), "n_components": 3}, "n_components", "3", "2"),
    ({"projector": MLPProjector}, "projector", "MLPProjector"),
    ({"projector": nn.Linear(8, 8)}, "projector"),
    ({"projector": MLPProjector(projection_dim=0)}, "projection_dim", "MLPProjector", "0"),
    ({"projector": MLPProjector(projection_dim=1.5)}, "projection_dim", "MLPProjector", "1.5"),
    ({"projector": MLPProjector(hidden_dims=(0,))}, "hidden_dims", "MLPProjector", "(0,)"),
    ({"projector": MLPProjector(hidden_dims=8)}, "hidden_dims", "MLPProjector", "8"),
    ({"objective": HSIC}, "objective", "HSIC"),
    ({"objective": BarlowTwins(off_diagonal_weight=-1)}, "off_diagonal_weight", "BarlowTwins", "-1"),
    ({"objective": BarlowTwins(off_diagonal_weight="a")}, "off_diagonal_weight", "BarlowTwins", "'a'"),
    ({"objective": BarlowTwins(off_diagonal_weight=nan)}, "off_diagonal_weight", "BarlowTwins", "nan"),
    ({"objective": HSIC(off_diagonal_weight=-0.1)}, "off_diagonal_weight", "HSIC", "-0.1"),
    ({"objective": HSIC(off_diagonal_weight=inf)}, "off_diagonal_weight", "HSIC", "inf"),
    ({"optimizer": lambda groups, lr, weight_decay: 3}, "optimizer", "int"),
    ({"callbacks": [3]}, "callbacks", "3"),
    ({"callbacks": [LRScheduler()]}, "callbacks", "lr_schedule"),
    ({"callbacks": [("rate", LRScheduler)]}, "callbacks", "lr_schedule"),
    ({"preprocessor": StandardScaler()}, "preprocessor", "StandardScaler()", "Pipeline"),
    ({"callbacks": [None]}, "callbacks", "None"),
    # numbers that are none, or that no machine has room for
    ({"n_components": True}, "n_components", "True", "number"),
    ({"n_components": 10**12}, "n_components", "does not fit into memory"),
    ({"learning_rate": np.array([0.1])}, "learning_rate", "array([0.1])"),
    ({"n_jobs": 10**20}, "n_jobs", "100000000000000000000", "-1 for all cores"),
    ({"random_state": np.random.default_rng(0)}, "random_state", "Generator"),
    # names and flags
    ({"device": ""}, "device", "''", "'auto'"),
    ({"device": torch.device("cpu")}, "device", "device(type='cpu')"),
    ({"encoder": "timm:"}, "encoder", "'timm:'", "'timm:NAME'"),
    # parts of the other modality
    ({"preprocessor": "image"}, "(60, 5)", "preprocessor__sample_shape"),
    ({"modality": "image"}, "(60, 5)", "preprocessor__sample_shape"),
    ({"encoder": "convnet"}, "encoder", "ConvNetEncoder()", "'mlp' or 'resnet'"),
    ({"encoder": "timm:resnet18"}, "encoder", "TimmEncoder", "'mlp' or 'resnet'"),
    ({"augmentation": "image_views"}, "ImageViews", "(5,)", "augmentation='auto'"),
    ({"augmentation": "barlow_twins_pair"}, "ImageViews", "(5,)"),
    # hyper-parameters of parts
    ({"preprocessor": TablePreprocessor(max_categories=True)}, "max_categories", "TablePreprocessor", "True"),
    ({"preprocessor": TablePreprocessor([0.5, "a"])}, "categorical_features", "names"),
    ({"augmentation": MarginalCorruption(corruption_rate=True)}, "corruption_rate", "True"),
    ({"augmentation": Mixup(max_weight=nan)}, "max_weight", "Mixup", "nan"),
    ({"augmentation": Chain((("a", Identity()),))}, "steps", "Chain", "Identity()"),
    ({"augmentation": Chain([("a", lambda x: x)])}, "step 'a' of Chain", "(x, data, generator)"),
    ({"augmentation": Chain([("a", Pair(Identity(), Identity()))])}, "step 'a' of Chain", "outermost"),
    ({"augmentation": Chain([("a", Chain([("b", Masking(mask_rate=2))]))])}, "mask_rate", "Masking", "2"),
    ({"augmentation": Pair(Pair(Identity(), Identity()), Identity())}, "view_a of Pair", "outermost"),
    ({"augmentation": Pair(None, None)}, "view_a", "Pair", "None"),
    ({"augmentation": Pair(Identity(), lambda x, data: x)}, "view_b of Pair", "(x, data, generator)"),
    ({"encoder": MLPEncoder(hidden_dims=(True,))}, "hidden_dims", "(True,)"),
    ({"encoder": MLPEncoder(hidden_dims=(10**12,))}, "does not fit into memory", "narrower"),
    ({"encoder": MLPEncoder(expansion=MLPEncoder())}, "expansion.build of MLPEncoder", "(edges)"),
    ({"encoder": MLPEncoder(expansion=3)}, "expansion", "MLPEncoder", "3"),
    ({"encoder": ResNetEncoder(width=1.5)}, "width", "ResNetEncoder", "1.5"),
    ({"encoder": TimmEncoder(3)}, "name", "TimmEncoder", "3"),
    ({"encoder": ImageResNetEncoder(depth=19)}, "depth", "ImageResNetEncoder", "19"),
    ({"encoder": ImageResNetEncoder(stem="x")}, "stem", "ImageResNetEncoder", "'x'"),
    ({"encoder": ConvNetEncoder(widths=())}, "widths", "ConvNetEncoder"),
    ({"encoder": ConvNetEncoder(widths=8)}, "widths", "ConvNetEncoder", "8"),
    ({"projector": MLPProjector(projection_dim=True)}, "projection_dim", "True"),
    ({"projector": MLPProjector(projection_dim=10**12)}, "does not fit into memory"),
    ({"projector": IdentityProjector}, "projector", "IdentityProjector"),
    ({"objective": BarlowTwins(off_diagonal_weight=True)}, "off_diagonal_weight", "True"),
    ({"objective": MixedBarlowTwins(mixing_weight=-1)}, "mixing_weight", "MixedBarlowTwins", "-1"),
    ({"objective": InfoNCE(temperature=0)}, "temperature", "InfoNCE", "0"),
    ({"objective": InfoNCE(negatives="all")}, "negatives", "InfoNCE", "'all'"),
    ({"objective": SSLHSIC(kernel="rbf")}, "kernel", "SSLHSIC", "'rbf'"),
    ({"objective": SSLHSIC(bandwidth=0)}, "bandwidth", "SSLHSIC", "0"),
    ({"objective": SSLHSIC(n_features=0)}, "n_features", "SSLHSIC", "0"),
    ({"objective": SSLHSIC(random_state="a")}, "random_state", "SSLHSIC", "'a'"),
    ({"objective": VICReg(eps=0)}, "eps", "VICReg", "0"),
    ({"objective": VICReg(covariance_weight=nan)}, "covariance_weight", "VICReg", "nan"),
    # functions that cannot be called as they will be
    ({"augmentation": lambda x: x}, "augmentation", "(x, data, generator)", "too many"),
    ({"encoder": lambda: None}, "encoder", "(spec)", "too many"),
    ({"encoder": lambda spec, width: None}, "encoder", "(spec)", "'width'"),
    ({"encoder": nn.Linear}, "encoder", "(spec)", "Linear"),
    ({"encoder": lambda spec: nn.Linear}, "encoder", "torch.nn.Module", "type"),
    ({"encoder": nn.Linear(5, 3, device="meta")}, "encoder", "without values"),
    ({"encoder": nn.Linear(5, 2).requires_grad_(False), "projector": "identity"}, "encoder", "no weights to train"),
    ({"objective": lambda z: z.sum()}, "objective", "(z_a, z_b)", "too many"),
    ({"optimizer": lambda groups: None}, "optimizer", "(groups, lr=..., weight_decay=...)", "'lr'"),
    ({"optimizer": torch.optim.LBFGS}, "optimizer", "LBFGS", "'weight_decay'"),
    ({"optimizer": nn.Linear}, "optimizer", "Linear"),
    ({"lr_schedule": lambda step: 1.0}, "lr_schedule", "(step, n_steps)", "too many"),
    ({"lr_schedule": torch.optim.lr_scheduler.StepLR}, "lr_schedule", "StepLR", "is a class"),
    # callbacks
    ({"callbacks": [(3, Callback())]}, "callbacks", "(3, ", "name"),
    ({"callbacks": [("a", Callback(), 3)]}, "callbacks", "('a', "),
    ({"callbacks": [("a", Callback()), ("a", Callback())]}, "callbacks", "'a' more than once"),
    ({"callbacks": [EarlyStopping()]}, "callbacks", "monitor='valid_loss'", "early_stopping=True"),
    ({"callbacks": [Checkpoint]}, "callbacks", "monitor='valid_loss_best'", "early_stopping=True"),
    ({"callbacks": [Checkpoint(monitor="train_loss_best")]}, "callbacks", "'train_loss_best'", "monitor=None"),
    ({"callbacks": [InputShapeSetter()]}, "callbacks", "InputShapeSetter"),
    ({"callbacks": [EarlyStopping(monitor="loss")]}, "callbacks", "monitor='loss'", "'train_loss'", "'valid_loss'"),
    ({"callbacks": [("stop", EarlyStopping("redundancy"))]}, "monitor='redundancy'", "'train_invariance'"),
    ({"callbacks": [EarlyStopping("learning_rate")]}, "monitor='learning_rate'", "'lr'"),
    ({"callbacks": [EarlyStopping("val_loss")], "early_stopping": True}, "'val_loss'", "'valid_loss'"),
    ({"callbacks": [Checkpoint(monitor="loss")]}, "callbacks", "monitor='loss'", "'train_loss'"),
    ({"callbacks": [Checkpoint(monitor="loss_best")]}, "callbacks", "monitor='loss_best'", "monitor=None"),
    ({"callbacks": [partial(EarlyStopping, monitor="loss")]}, "callbacks", "partial"),
]


# parameters -> words; what only the first batch shows, before its step is taken
FIRST_BATCH = [
    ({"augmentation": lambda x, data, generator: None}, "augmentation", "(15, 5)", "NoneType"),
    ({"augmentation": lambda x, data, generator: x[:, :2]}, "augmentation", "(15, 5)", "(15, 2)"),
    ({"augmentation": lambda x, data, generator: x.numpy()}, "augmentation", "(15, 5)", "ndarray"),
    ({"augmentation": lambda x, data, generator: x.double()}, "augmentation", "float32", "torch.float64"),
    ({"augmentation": lambda x, data, generator: x.int()}, "augmentation", "float32", "torch.int32"),
    ({"augmentation": lambda x, data, generator: x.to("meta")}, "augmentation", "on cpu", "on meta"),
    ({"augmentation": Chain([("a", lambda x, data, generator: None)])}, "augmentation", "NoneType"),
    ({"augmentation": nn.Linear(3, 3)}, "augmentation", "Linear(in_features=3", "(15, 5)", "(x, data, generator)"),
    ({"objective": lambda z_a, z_b: (z_a - z_b) ** 2}, "objective", "(15, 8)", "scalar"),
    ({"objective": lambda z_a, z_b: 3.0}, "objective", "float", "scalar"),
    ({"objective": lambda z_a, z_b: None}, "objective", "NoneType", "scalar"),
    ({"objective": lambda z_a, z_b: (z_a - z_b).mean((0, 1), keepdim=True)}, "objective", "(1, 1)", "scalar"),
    ({"objective": lambda z_a, z_b: (z_a - z_b).sum().detach()}, "objective", "tensor(", "detached"),
    ({"objective": lambda z_a, z_b: torch.tensor(1.0)}, "objective", "tensor(1.)", "depends on the projections"),
    ({"objective": lambda z_a, z_b: (z_a - z_b).sum() * 1j}, "objective", "j", "float"),
    ({"objective": nn.MSELoss(reduction="none")}, "objective", "MSELoss()", "scalar"),
    ({"lr_schedule": lambda step, n_steps: None}, "lr_schedule", "None", "step 0 of 8", "number"),
    ({"lr_schedule": lambda step, n_steps: "1"}, "lr_schedule", "'1'", "number"),
    ({"lr_schedule": lambda step, n_steps: nan}, "lr_schedule", "nan", "finite"),
    ({"lr_schedule": lambda step, n_steps: -1.0}, "lr_schedule", "-1.0", "0 or more"),
    ({"lr_schedule": lambda step, n_steps: np.ones(3)}, "lr_schedule", "array([1., 1., 1.])", "number"),
]
CASES = [*PARAMETERS, *FIRST_BATCH]


def identify(case):
    return ", ".join(f"{name}={type(value).__name__}" for name, value in case[0].items())


def table_of(cases):
    """Parametrize a test by cases."""
    return pytest.mark.parametrize("case", cases, ids=[f"{i}-{identify(case)}" for i, case in enumerate(cases)])


def test_every_parameter_has_its_cases():
    given = {name for params, *_ in CASES for name in params}
    assert given == set(inspect.signature(BarlowTwinsEmbedder).parameters)


@table_of(PARAMETERS)
def test_parameter(make, X, refuses, case):
    params, *words = case
    embedder = make(**params)
    before = dict(vars(embedder))
    refuses(words, embedder.fit, X)
    assert vars(embedder) == before


@pytest.mark.slow
@pytest.mark.parametrize("method", ["partial_fit", "fit_transform"])
@table_of(PARAMETERS[::9])
def test_other_methods(make, X, refuses, case, method):
    params, *words = case
    refuses(words, getattr(make(**params), method), X)


@table_of(FIRST_BATCH)
def test_what_the_first_batch_shows(make, X, refuses, case):
    params, *words = case
    embedder = make(**params)
    before = dict(vars(embedder))
    refuses(words, embedder.fit, X, in_first_batch=True)
    assert vars(embedder) == before


@pytest.fixture(scope="module")
def fitted():
    """Embedders with and without warm start."""
    return {warm: small_embedder(warm_start=warm).fit(small_table()) for warm in (False, True)}


@pytest.mark.slow
@table_of(CASES[::3])
def test_refit(X, fitted, refuses, fingerprint, case):
    """A fitted embedder keeps all of its bits; every other one is to go on with its training."""
    params, *words = case
    warm_start = CASES.index(case) % 2 == 1
    embedder = copy.deepcopy(fitted[warm_start])
    own, before = embedder.get_params(deep=False), fingerprint(embedder)
    embedder.set_params(**params)
    if not warm_start or "max_epochs" in params:
        refuses(words if not warm_start else (), embedder.fit, X, in_first_batch=case in FIRST_BATCH)
    else:
        with pytest.raises((ValueError, TypeError)):
            embedder.set_params(**{"max_epochs": 4, **params}).fit(X)
    assert fingerprint(embedder.set_params(**own)) == before
    np.testing.assert_array_equal(embedder.transform(X), fitted[warm_start].transform(X))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu(make, X, refuses):
    refuses(["device", "'cuda'", "'auto'"], make(device="cuda").fit, X)


@pytest.mark.parametrize("name", ["nonsense", "augmentation__nonsense", "encoder__nonsense", "nonsense__clip"])
def test_unknown_parameter(make, name):
    embedder = make()
    with pytest.raises(ValueError, match="nonsense"):
        embedder.set_params(**{name: 1})
    with pytest.raises(TypeError, match="nonsense"):
        make(nonsense=1)


@pytest.mark.parametrize("name", ["n_components__a", "callbacks__a", "optimizer__lr", "random_state__seed"])
def test_parameter_of_what_has_none(make, name):
    with pytest.raises(ValueError, match=f"^{name.partition('__')[0]}=.* has no parameters to set"):
        make().set_params(**{name: 1})


def test_class_in_a_role_has_no_nested_parameters(make):
    with pytest.raises(ValueError, match="augmentation"):
        make(augmentation=Masking).set_params(augmentation__mask_rate=0.1)


def test_unknown_modality_of_a_nested_parameter(make):
    with pytest.raises(ValueError, match="modality='video'"):
        make(modality="video").set_params(augmentation__corruption_rate=0.1)


def test_a_copy_of_what_is_refused_is_refused(make, X, refuses):
    refuses(["corruption_rate", "2"], clone(make(augmentation=MarginalCorruption(corruption_rate=2))).fit, X)


def test_diverging_loss(make, X):
    embedder = make(objective=lambda z_a, z_b: (z_a - z_b).sum() * nan)
    with pytest.raises(ValueError, match=r"nan in epoch 1, batch 1, before any step: look at objective"):
        embedder.fit(X)
    assert not hasattr(embedder, "encoder_")


@pytest.mark.parametrize("warm_start", [False, True])
def test_fewer_epochs_than_done(make, X, refuses, fingerprint, warm_start):
    embedder = make(warm_start=warm_start).fit(X)
    before = fingerprint(embedder.set_params(max_epochs=1))
    if not warm_start:
        assert embedder.fit(X).n_iter_ == 1
        return
    refuses(["max_epochs=1", "2", "warm_start"], embedder.fit, X)
    assert fingerprint(embedder) == before
