"""Predictions: the linear model on the pretrained embedding and the head, blended."""

import numpy as np

from ._features import Features
from ._linear import as_softmax, linear_proba, softmax
from ._recipe import blend


def transform_samples(embedder, samples):
    """The embedder's `transform` of rows that are samples already."""
    spec, verbose = embedder.preprocessor_.spec_, int(embedder.verbose)
    return embedder._output.compute(embedder.encoder_, samples, spec, embedder.precision, embedder.n_jobs, verbose)


def predict_parts(fitted, samples):
    """Probabilities of the classes by the linear model, and those by the head, for rows that are samples already.

    Parameters
    ----------
    fitted : dict
        Fitted attributes of a classifier.
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        From the preprocessor.

    Returns
    -------
    linear, head : ndarrays of shape (n, n_classes)
    """
    coef, pretrained, tuned = fitted["head_coef_"], fitted["pretrained_embedder_"], fitted["embedder_"]
    if len(samples) == 0:
        return np.empty((0, len(coef))), np.empty((0, len(coef)))
    linear = linear_proba(fitted["linear_model_"], transform_samples(pretrained, samples), len(coef))
    features = Features.of(tuned).compute(tuned.encoder_, samples, int(tuned.verbose))
    return linear, softmax(features.astype(np.float64) @ coef.T.astype(np.float64) + fitted["head_intercept_"])


def predict_samples(fitted, samples):
    """Probabilities of the classes, see `predict_parts`.

    Returns
    -------
    proba : ndarray of shape (n, n_classes)
    """
    return blend(*predict_parts(fitted, samples), fitted["head_share_"])


def linear_parts(fitted):
    """The classifier as parts whose softmax are blended, for `export_classifier`.

    Returns
    -------
    parts : list of (encoder, output, coef, intercept, share)
    """
    pretrained, tuned, model = fitted["pretrained_embedder_"], fitted["embedder_"], fitted["linear_model_"]
    share = fitted["head_share_"]
    if not hasattr(model, "coef_"):
        raise ValueError("A classifier that has seen labels of one class only has no model to export yet.")
    first = as_softmax(model, len(fitted["classes_"]))
    head = fitted["head_coef_"], fitted["head_intercept_"]
    return [
        (pretrained.encoder_, pretrained._output, *first, 1 - share),
        (tuned.encoder_, Features.of(tuned).unscaled, *head, share),
    ]
