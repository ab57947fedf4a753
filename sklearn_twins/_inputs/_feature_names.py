"""In whose name X is checked: what is learnt of its columns is the owner's, and the preprocessor's too."""

import copy


def share_names(owner, preprocessor):
    """Give a preprocessor what its owner learnt of the columns of X.

    Parameters
    ----------
    owner : estimator
        In whose name X was checked.
    preprocessor : component
        Which may be the owner itself.
    """
    if owner is not preprocessor:
        for name in ("n_features_in_", "feature_names_in_"):
            preprocessor.__dict__.pop(name, None)
            if hasattr(owner, name):  # a copy: joblib's files part what is shared, and its hashes tell
                setattr(preprocessor, name, copy.copy(getattr(owner, name)))
