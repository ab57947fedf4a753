"""Preprocessor, the base of what turns images, time series and audio into samples."""

from sklearn.utils.validation import check_is_fitted

from ._component import Component


class Preprocessor(Component):
    """Base of preprocessors.

    Subclasses define ``_learn(X, owner) -> samples``, which sets `spec_`, and `n_features_in_` of the owner too; and
    ``_make_samples(X, owner, to_fit) -> samples``, which leaves out rows that are skipped if `to_fit` is true.
    """

    def fit(self, X, y=None, *, owner=None):
        """Learn from X what samples need.

        Parameters
        ----------
        X : container
            See the class.
        y : Ignored
            Not used, present by convention.
        owner : estimator, default=None
            The estimator named in error messages; it receives `n_features_in_` and `feature_names_in_`.

        Returns
        -------
        self : object
            The fitted preprocessor.

        Raises
        ------
        TypeError, ValueError
            If X is not what the class takes, or a hyper-parameter is out of range.
        """
        self.fit_transform(X, owner=owner)
        return self

    def fit_transform(self, X, y=None, *, owner=None):
        """Learn from X and turn it into samples.

        Parameters
        ----------
        X : container
            See the class.
        y : Ignored
            Not used, present by convention.
        owner : estimator, default=None
            The estimator named in error messages.

        Returns
        -------
        samples : ndarray or lazy samples of shape (n, ...)
            As from `transform`, but without rows that are skipped.

        Raises
        ------
        TypeError, ValueError
            As in `fit`.
        """
        self.check()
        return self._learn(X, self if owner is None else owner)

    def transform(self, X, *, owner=None):
        """Turn X into samples.

        Parameters
        ----------
        X : container
            See the class.
        owner : estimator, default=None
            The estimator named in error messages.

        Returns
        -------
        samples : ndarray or lazy samples of shape (n, ...)
            As `spec_` describes them; ``samples[rows]`` gives some as an array.

        Raises
        ------
        TypeError, ValueError
            If X is not what the class takes, or differs from that in `fit`.
        NotFittedError
            If the preprocessor is not fitted.
        """
        check_is_fitted(self)
        return self._make_samples(X, self if owner is None else owner, False)

    def transform_for_fit(self, X, *, owner=None):
        """Turn X into samples on which training continues: as `transform`, but rows may be skipped.

        Parameters
        ----------
        X : container
            See the class.
        owner : estimator, default=None
            The estimator named in error messages.

        Returns
        -------
        samples : ndarray or lazy samples of shape (n, ...)
            As from `fit_transform`.

        Raises
        ------
        TypeError, ValueError, NotFittedError
            As in `transform`.
        """
        check_is_fitted(self)
        return self._make_samples(X, self if owner is None else owner, True)
