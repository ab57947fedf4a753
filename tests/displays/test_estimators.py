"""Displays of pipelines, searches and frozen estimators: they find the embedder, and what reaches it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twins.displays import (
    CrossCorrelationDisplay,
    EmbeddingDisplay,
    SpectrumDisplay,
    TrainingCurveDisplay,
    ViewsDisplay,
)

DRAW = {
    TrainingCurveDisplay: lambda embedder, X: TrainingCurveDisplay.from_estimator(embedder).history["loss"],
    CrossCorrelationDisplay: lambda embedder, X: CrossCorrelationDisplay.from_estimator(embedder, X).correlation,
    SpectrumDisplay: lambda embedder, X: SpectrumDisplay.from_estimator(embedder, X).embeddings["embedding"],
    ViewsDisplay: lambda embedder, X: ViewsDisplay.from_estimator(embedder, X).samples,
    EmbeddingDisplay: lambda embedder, X: EmbeddingDisplay.from_estimator(embedder, X).points,
}
HOLDERS = {
    "last": lambda embedder: make_pipeline(StandardScaler(), embedder),
    "before a classifier": lambda embedder: make_pipeline(StandardScaler(), embedder, LogisticRegression()),
    "nested": lambda embedder: make_pipeline(make_pipeline("passthrough", StandardScaler()), make_pipeline(embedder)),
    "search": lambda embedder: GridSearchCV(
        make_pipeline(StandardScaler(), embedder, LogisticRegression()), {"logisticregression__C": [1.0]}, cv=2
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_displays_find_the_embedder(make, X, holder):
    y, scaled = np.arange(60) % 2, StandardScaler().fit_transform(X)
    estimator, alone = holder(make()).fit(X, y), make().fit(scaled)
    for kind, draw in DRAW.items():
        assert_allclose(draw(estimator, X), draw(alone, scaled), rtol=1e-4, atol=1e-4, err_msg=f"{kind}")


def test_frozen(make, X):
    embedder = make().fit(X)
    pipeline = make_pipeline(FrozenEstimator(embedder), LogisticRegression())
    assert DRAW[TrainingCurveDisplay](pipeline, X) is embedder.history_["loss"]


def test_views_need_no_fit(make, X):
    pipeline = make_pipeline(StandardScaler(), make())
    wanted = DRAW[ViewsDisplay](make(), StandardScaler().fit_transform(X))
    assert_array_equal(DRAW[ViewsDisplay](pipeline, X), wanted)
    assert not hasattr(pipeline[0], "mean_")


@pytest.mark.parametrize("kind", [kind for kind in DRAW if kind is not EmbeddingDisplay])
@pytest.mark.parametrize("other", [PCA(2), make_pipeline(StandardScaler(), PCA(2)), "nonsense", None], ids=str)
def test_displays_of_something_else(X, kind, other):
    with pytest.raises(TypeError, match="needs a BarlowTwinsEmbedder, or a pipeline"):
        DRAW[kind](other, X)
