"""Feature names: attributes of the columns of X belong to the estimator and to its preprocessor."""

import copy


def share_names(owner, preprocessor):
    """Copy the attributes of X's columns from an estimator to its preprocessor.

    Parameters
    ----------
    owner : estimator
        The estimator named in error messages, which has `n_features_in_` and perhaps `feature_names_in_`.
    preprocessor : component
        Its preprocessor, or the owner itself.
    """
    if owner is not preprocessor:
        for name in ("n_features_in_", "feature_names_in_"):
            preprocessor.__dict__.pop(name, None)
            if hasattr(owner, name):  # a copy: joblib's hashes depend on sharing, which its files lose
                setattr(preprocessor, name, copy.copy(getattr(owner, name)))


def replace_columns(owner, n):
    """Give an estimator `n` features without names, for X that has no columns."""
    owner.n_features_in_ = n
    owner.__dict__.pop("feature_names_in_", None)
