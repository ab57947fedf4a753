"""Predictions: the linear model and the head, blended."""

import numpy as np

from .._inference._embed import embed
from ._linear import as_softmax, linear_proba, softmax
from ._recipe import BLEND, blend


def head_proba(embedder, samples, coef, intercept):
    """Probabilities of the head on an embedder's encoder.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder
        With the jointly trained encoder.
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        From its preprocessor.
    coef : ndarray of shape (n_classes, width)
        Weights of the head.
    intercept : ndarray of shape (n_classes,)
        Intercepts.

    Returns
    -------
    proba : ndarray of shape (n, n_classes)
    """
    if len(samples) == 0:
        return np.empty((0, len(intercept)))
    spec = embedder.preprocessor_.spec_
    h = embed(embedder.encoder_, samples, spec, embedder.precision, embedder.n_jobs, int(embedder.verbose))
    return softmax(h.astype(np.float64) @ coef.T.astype(np.float64) + intercept)


def transform_samples(embedder, samples):
    """The embedder's `transform` of rows that are samples already."""
    spec, verbose = embedder.preprocessor_.spec_, int(embedder.verbose)
    return embedder._output.compute(embedder.encoder_, samples, spec, embedder.precision, embedder.n_jobs, verbose)


def predict_samples(fitted, samples):
    """Probabilities of the classes for rows that are samples already.

    Parameters
    ----------
    fitted : dict
        Fitted attributes of a classifier.
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        From the preprocessor.

    Returns
    -------
    proba : ndarray of shape (n, n_classes)
    """
    predictions, n_classes = [], len(fitted["classes_"])
    for embedder, model in (("pretrained_embedder_", "pretrained_model_"), ("embedder_", "model_")):
        Z = transform_samples(fitted[embedder], samples)
        predictions.append(linear_proba(fitted[model], Z, n_classes))
    head = None
    if BLEND[2]:
        head = head_proba(fitted["embedder_"], samples, fitted["head_coef_"], fitted["head_intercept_"])
    return blend(*predictions, head)


def linear_parts(fitted):
    """The embedders, the weights of the models on them, and the models' shares, for `export_classifier`."""
    n_classes = len(fitted["classes_"])
    for model in (fitted["pretrained_model_"], fitted["model_"]):
        if not hasattr(model, "coef_"):
            raise ValueError("A classifier that has seen labels of one class only has no model to export yet.")
    models = [as_softmax(fitted[name], n_classes) for name in ("pretrained_model_", "model_")]
    return [fitted["pretrained_embedder_"], fitted["embedder_"]], models, list(BLEND[:2])
