"""Unknown names of parameters: the error suggests the nearest valid one, and nothing is set."""

import copy
import inspect
import pickle

import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_twins import BarlowTwinsEmbedder, Component
from sklearn_twins.augmentations import Chain, GaussianNoise, ImageViews, MarginalCorruption, Masking, Pair
from sklearn_twins.networks import MLPEncoder
from sklearn_twins.objectives import HSIC, InfoNCE

# unknown name -> what is suggested
NAMES = {
    "objective__off_diagonal_weight": "set_params(objective__off_diagonal_weight=...)",
    "corruption_rate": "set_params(augmentation__corruption_rate=...)",
    "augmentation_corruption_rate": "set_params(augmentation__corruption_rate=...)",
    "encoder__corruption_rate": "set_params(augmentation__corruption_rate=...)",
    "objective__off_diagonal_wieght": "set_params(objective__off_diagonal_weight=...)",
    "lambd": "set_params(objective__off_diagonal_weight=...)",
    "hidden_dims": "set_params(encoder__hidden_dims=...) or set_params(projector__hidden_dims=...)",
    "projection_dims": "set_params(projector__projection_dim=...)",
    "categorical_features": "set_params(preprocessor__categorical_features=...)",
    "temperature": "set_params(objective__temperature=...) with objective='info_nce'",
    "mask_rate": "set_params(augmentation__mask_rate=...) with augmentation='masking'",
    "sample_shape": "set_params(preprocessor__sample_shape=...) with preprocessor='image'",
    "depth": "set_params(encoder__depth=...) with encoder='resnet18'",
    "max_epoch": "max_epochs?",
    "epochs": "max_epochs?",
    "max_iter": "max_epochs?",
    "alpha": "weight_decay?",
    "hidden_layer_sizes": "set_params(encoder__hidden_dims=...) or set_params(projector__hidden_dims=...)",
    "lr": "learning_rate?",
    "batchsize": "batch_size?",
    "n_component": "n_components?",
    "seed": "random_state or set_params(objective__random_state=...) with objective='ssl_hsic'",
    "modalities": "modality?",
}


@pytest.mark.parametrize(("name", "suggested"), NAMES.items())
def test_constructor_and_set_params_suggest(name, suggested):
    with pytest.raises(TypeError) as error:
        BarlowTwinsEmbedder(**{name: 1})
    assert f"BarlowTwinsEmbedder has no parameter {name!r}. Did you mean {suggested}" in str(error.value)
    if name in BarlowTwinsEmbedder().get_params(deep=True) or name == "objective__off_diagonal_weight":
        assert BarlowTwinsEmbedder().set_params(**{name: 1})
        return
    with pytest.raises(ValueError, match="Invalid parameter") as error:
        BarlowTwinsEmbedder().set_params(**{name: 1})
    assert f"Did you mean {suggested}" in str(error.value) and len(str(error.value)) < 500


def test_names_that_are_like_nothing():
    with pytest.raises(TypeError, match=r"'zzz'\. Valid parameters are: \['n_components', 'modality'"):
        BarlowTwinsEmbedder(zzz=1)
    with pytest.raises(ValueError, match=r"'zzz' for estimator BarlowTwinsEmbedder\. Valid parameters are"):
        BarlowTwinsEmbedder().set_params(zzz=1)
    with pytest.raises(ValueError, match=r"'zzz' for estimator MarginalCorruption\(\).*\['corruption_rate'\].$"):
        BarlowTwinsEmbedder().set_params(augmentation__zzz=1)


@pytest.mark.parametrize(
    ("cls", "name", "words"),
    [
        (MarginalCorruption, "rate", "It has: corruption_rate"),
        (MarginalCorruption, "corruption", "Did you mean corruption_rate?"),
        (HSIC, "off_diag_weight", "HSIC has no parameter 'off_diag_weight'. Did you mean off_diagonal_weight?"),
        (InfoNCE, "temprature", "Did you mean temperature?"),
        (MLPEncoder, "hidden_dim", "Did you mean hidden_dims?"),
        (ImageViews, "grayscales", "Did you mean grayscale?"),
        (Chain, "step", "Did you mean steps?"),
    ],
)
def test_components_suggest_too(cls, name, words):
    with pytest.raises(TypeError) as error:
        cls(**{name: 1})
    assert words in str(error.value)


def test_parts_that_are_no_names_do_not_hide_the_suggestion():
    with pytest.raises(TypeError, match="Did you mean set_params"):
        BarlowTwinsEmbedder(modality="audio", encoder=3, corruption_rate=0.1)


def test_a_pipeline_and_a_search_show_the_suggestion():
    pipeline = make_pipeline(BarlowTwinsEmbedder(), LogisticRegression())
    with pytest.raises(ValueError, match="Did you mean set_params\\(augmentation__corruption_rate"):
        pipeline.set_params(barlowtwinsembedder__corruption_rate=0.1)
    search = GridSearchCV(BarlowTwinsEmbedder(), {"corruption_rate": [0.1]}, error_score="raise", cv=2)
    with pytest.raises(ValueError, match="Did you mean set_params\\(augmentation__corruption_rate"):
        search.fit([[0.0], [1.0], [2.0], [3.0]])


# Of several parameters one is bad.
REFUSED = [
    {"augmentation__foo": 1},
    {"augmentation__corruption_rate": 0.1, "objective__foo": 1},
    {"max_epochs": 3, "foo": 1},
    {"max_epochs": 3, "augmentation__foo": 1},
    {"max_epochs": 3, "optimizer__momentum": 0.9},
    {"augmentation": Masking(), "augmentation__corruption_rate": 0.1},
    {"modality": "image", "augmentation__corruption_rate": 0.1},
    {"encoder": "resnet", "encoder__hidden_dims": (8,)},
    {"preprocessor__clip": 3.0, "projector__foo__bar": 1},
    {"encoder__expansion__width": 3},
    {"nonsense__clip": 1, "preprocessor__clip": 2},
]


@pytest.mark.parametrize("params", REFUSED, ids=str)
def test_a_refused_change_changes_nothing(params):
    embedder = BarlowTwinsEmbedder(projector="identity")
    before = copy.copy(vars(embedder))
    with pytest.raises(ValueError):
        embedder.set_params(**params)
    assert vars(embedder) == before


def test_a_refused_change_leaves_components_as_they_are():
    steps = Chain([("noise", GaussianNoise(scale=0.1)), ("masking", Masking(mask_rate=0.1))])
    embedder = BarlowTwinsEmbedder(augmentation=Pair(steps, MarginalCorruption()))
    with pytest.raises(ValueError, match="Invalid parameter 'rate'"):
        embedder.set_params(augmentation__view_a__noise__scale=0.5, augmentation__view_a__masking__rate=0.5)
    assert steps.steps[0][1].scale == 0.1
    embedder.set_params(augmentation__view_a__noise__scale=0.5, augmentation__view_b__corruption_rate=0.5)
    assert steps.steps[0][1].scale == 0.5  # the caller's own component, as in scikit-learn


class Own(BarlowTwinsEmbedder):
    """An embedder with a parameter of its own, which hands the others on."""

    def __init__(self, own=1, **kwargs):
        super().__init__(**kwargs)
        self.own = own


class Part(Component):
    """A component that fails by itself."""

    def __init__(self, width=1):
        raise TypeError("for another reason")


def test_constructors_of_users():
    assert Own(max_epochs=3).max_epochs == 3
    with pytest.raises(TypeError, match="has no parameter 'foo'"):
        Own(foo=1)
    with pytest.raises(TypeError, match="for another reason"):
        Part(width=2)


def test_the_constructor_stays_explicit():
    parameters = inspect.signature(BarlowTwinsEmbedder).parameters
    assert list(parameters)[:2] == ["n_components", "modality"] and len(parameters) == 30
    assert inspect.getdoc(MarginalCorruption.__init__) == inspect.getdoc(object.__init__)
    embedder = BarlowTwinsEmbedder(3, objective=HSIC(off_diagonal_weight=0.1))
    for twin in (clone(embedder), copy.deepcopy(embedder), pickle.loads(pickle.dumps(embedder))):
        assert repr(twin) == repr(embedder)
