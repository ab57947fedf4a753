"""The linear model on the frozen embedding and the columns next to it."""

import warnings

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

MAX_ITER = 1_000
LEAST_INTERCEPT = -20.0  # of the head, for classes without labels so far


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
        warnings.filterwarnings("ignore", "The number of unique classes")  # as many as labelled rows are no surprise
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


def as_softmax(model, n_classes):
    """Weights and intercepts of all classes whose softmax are the probabilities of logistic regression.

    Returns
    -------
    coef : ndarray of shape (n_classes, n_features), float32
    intercept : ndarray of shape (n_classes,), float32
        -inf for classes without labels so far.
    """
    coef = np.zeros((n_classes, model.coef_.shape[1]), dtype=np.float32)
    intercept = np.full(n_classes, -np.inf, dtype=np.float32)
    is_binary = len(model.classes_) == 2
    coef[model.classes_] = np.outer([-0.5, 0.5], model.coef_) if is_binary else model.coef_
    intercept[model.classes_] = model.intercept_ * [-0.5, 0.5] if is_binary else model.intercept_
    return coef, intercept


def first_head(model, n_classes, n_features):
    """Weights and intercepts of a head that predicts as a linear model does.

    Returns
    -------
    coef : ndarray of shape (n_classes, n_features), float32
    intercept : ndarray of shape (n_classes,), float32
        `LEAST_INTERCEPT` for classes without labels so far.
    """
    if isinstance(model, DummyClassifier):  # one class
        coef, intercept = np.zeros((n_classes, n_features)), np.full(n_classes, -np.inf)
        intercept[model.classes_] = 0.0
    else:
        coef, intercept = as_softmax(model, n_classes)
    return coef.astype(np.float32), np.maximum(intercept, LEAST_INTERCEPT).astype(np.float32)


def softmax(logits):
    """Probabilities of logits, in float64.

    Shape
    -----
    (n, n_classes) -> (n, n_classes)
    """
    logits = logits.astype(np.float64)
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)
