"""The linear model on the frozen embedding and the columns next to it."""

import warnings

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

MAX_ITER = 1_000


def fit_linear(Z, codes, weights):
    """Fit logistic regression to embedded labelled rows.

    Parameters
    ----------
    Z : ndarray of shape (n, n_features)
        Output of the pretrained embedder for labelled rows.
    codes : ndarray of shape (n,), int64
        Their classes.
    weights : ndarray of shape (n,)
        Their weights.

    Returns
    -------
    model : LogisticRegression; DummyClassifier while there are labels of one class only
    """
    model = LogisticRegression(max_iter=MAX_ITER) if len(np.unique(codes)) > 1 else DummyClassifier()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # separable classes with large weights take many steps
        return model.fit(Z.astype(np.float64), codes, sample_weight=weights)


def linear_proba(model, Z, n_classes):
    """Probabilities of all classes; 0 for those without labels so far.

    Shape
    -----
    Z : (n, n_features); returns (n, n_classes)
    """
    proba = np.zeros((len(Z), n_classes))
    if len(Z):
        proba[:, model.classes_] = model.predict_proba(Z.astype(np.float64))
    return proba


def softmax(logits):
    """Probabilities of logits, in float64.

    Shape
    -----
    (n, n_classes) -> (n, n_classes)
    """
    logits = logits.astype(np.float64)
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)
