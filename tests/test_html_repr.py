"""What is shown in a notebook: links to pages that there are, tooltips that say something, values in a few words."""

import html
import importlib
import inspect
import re

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._html_repr import SITE
from sklearn_twins.augmentations import Chain, GaussianNoise, ImageViews, MarginalCorruption, Pair
from sklearn_twins.metrics import invariance
from sklearn_twins.model_selection import BatchedGridSearchCV, EpochHalvingSearchCV
from sklearn_twins.networks import MLPEncoder

PLACES = ["sklearn_twins", *(f"sklearn_twins.{room}" for room in sklearn_twins.ROOMS)]
PUBLIC = {
    f"{place}.{name}": getattr(importlib.import_module(place), name)
    for place in PLACES
    for name in importlib.import_module(place).__all__
}
ESTIMATORS = {name: c for name, c in PUBLIC.items() if inspect.isclass(c) and issubclass(c, BaseEstimator)}
every_estimator = pytest.mark.parametrize("name", ESTIMATORS)
pages = SITE.format(version="latest") + "api/"


def blank(cls):
    """An estimator without parameters, whatever its `__init__` wants."""
    return object.__new__(cls)


@every_estimator
def test_page(name):
    assert blank(ESTIMATORS[name])._get_doc_link() == f"{pages}{name}.html"


def test_page_of_a_release(monkeypatch):
    monkeypatch.setattr(sklearn_twins, "__version__", "0.1.0")
    assert Chain([])._get_doc_link() == SITE.format(version="stable") + "api/sklearn_twins.augmentations.Chain.html"


def test_no_page_of_what_is_not_ours():
    class Mine(BarlowTwinsEmbedder):
        pass

    assert Mine()._get_doc_link() == ""
    hidden = type("Hidden", (MLPEncoder,), {"__module__": "sklearn_twins.networks._hidden"})
    assert hidden._get_doc_link(blank(hidden)) == f"{pages}sklearn_twins.networks.MLPEncoder.html"


def tooltips(cls, section):
    """What scikit-learn takes from a docstring for its tooltips: name -> type, description."""
    common = pytest.importorskip("sklearn.utils._repr_html.common")
    parsed = common.scrape_estimator_docstring(inspect.getdoc(cls))
    return {entry.name: (entry.type, " ".join(entry.desc)) for entry in parsed[section]}


@every_estimator
def test_every_parameter_has_a_link_and_a_tooltip(name):
    common = pytest.importorskip("sklearn.utils._repr_html.common")
    cls = ESTIMATORS[name]
    words = tooltips(cls, "Parameters")
    for parameter in inspect.signature(cls).parameters:
        kind, description = words[parameter]
        assert description.endswith((".", "`"))
        assert not re.search(r":\w+:`", description), "markup that is not rendered"
        assert description.count("`") % 2 == 0
        link = common.generate_link_to_param_doc(cls, parameter, "PAGE")
        assert link == f"PAGE#:~:text={parameter},-{common.quote(kind.replace('`', ''))}"


def check_attributes(fitted):
    pytest.importorskip("sklearn.utils._repr_html.fitted_attributes")
    shown = fitted._get_fitted_attr_html("PAGE")
    words = tooltips(type(fitted), "Attributes")
    assert not [name for name in shown if not words.get(name, ("", ""))[1]], "without a tooltip"
    text = shown._repr_html_inner()
    assert all(f"text={name},-" in text for name in shown)
    return shown, html.unescape(text)


def test_fitted_attributes(make, X):
    shown, text = check_attributes(make(n_components=8).fit(X))
    wanted = {"encoder_", "preprocessor_", "history_", "loss_curve_", "n_components_", "n_iter_", "n_features_in_"}
    assert set(shown) == wanted
    n_weights = sum(p.numel() for p in make(n_components=8).fit(X).encoder_.parameters())
    assert f">{n_weights:,} weights<" in text
    assert ">8 columns, 2 epochs<" in text
    assert re.search(r">[\d.]+ to [\d.]+<", text)


def test_fitted_attributes_with_names(make, X):
    frame = pytest.importorskip("pandas").DataFrame(X, columns=list("abcde"))
    shown, _ = check_attributes(make().fit(frame))
    assert "feature_names_in_" in shown


def test_fitted_attributes_are_as_they_were(make, X):
    embedder = make().fit(X)
    embedder._repr_html_()
    assert isinstance(embedder.encoder_, nn.Module) and isinstance(embedder.history_["loss"], np.ndarray)


def test_fitted_attributes_of_parts(make, X):
    check_attributes(make().fit(X).preprocessor_)
    images = np.zeros((6, 8, 8, 3), dtype=np.uint8)
    check_attributes(PUBLIC["sklearn_twins.preprocessing.ImagePreprocessor"]().fit(images))


@pytest.mark.slow
def test_fitted_attributes_of_searches(make, X):
    embedder, grid = make(max_epochs=2), {"learning_rate": [0.001, 0.01]}
    check_attributes(BatchedGridSearchCV(embedder, grid, cv=2).fit(X))
    check_attributes(EpochHalvingSearchCV(embedder, grid, cv=2, min_epochs=1).fit(X))


def schedule_of_a_rather_long_name_that_goes_on(step, n_steps):
    return 1.0


SHOWN = {
    "names": dict(objective="hsic"),
    "components": dict(augmentation=MarginalCorruption(corruption_rate=0.4), encoder=MLPEncoder()),
    "chain": dict(augmentation=Chain([("corrupt", MarginalCorruption()), ("noise", GaussianNoise())])),
    "pair": dict(augmentation=Pair(MarginalCorruption(), GaussianNoise())),
    "function": dict(lr_schedule=schedule_of_a_rather_long_name_that_goes_on, objective=invariance),
    "module": dict(encoder=nn.Sequential(*(nn.Linear(5, 5) for _ in range(30)))),
}


@pytest.mark.parametrize("name", SHOWN)
def test_diagram(name):
    """Whatever is in it, without a warning, and within some lines; in a pipeline and in a search as well."""
    embedder = BarlowTwinsEmbedder(**SHOWN[name])
    pipeline = make_pipeline(StandardScaler(), embedder)
    search = GridSearchCV(pipeline, {"barlowtwinsembedder__n_components": [8]})
    for shown in (embedder, pipeline, search, EpochHalvingSearchCV(embedder, {}), BatchedGridSearchCV(embedder, {})):
        assert f"{pages}sklearn_twins.BarlowTwinsEmbedder.html" in shown._repr_html_()
    cells = re.findall(r'<td class="value">(.*?)</td>', embedder._repr_html_(), re.S)
    assert all(len(html.unescape(cell)) < 60 for cell in cells)


@pytest.mark.parametrize("part", [Chain([("noise", GaussianNoise())]), ImageViews(), MLPEncoder()], ids=str)
def test_diagram_of_a_part(part):
    assert part._get_doc_link() in part._repr_html_()
