"""What the parts of an embedder have in common: Component, Augmentation, Chain, and what samples are made of."""

from sklearn.base import BaseEstimator

from .._html_repr import DocumentationLinkMixin
from ._validation import refuse_booleans


class Component(DocumentationLinkMixin, BaseEstimator):
    """A part of an embedder: hyper-parameters only, no weights and no fitted state.

    Being a scikit-learn `BaseEstimator`, a component is cloned, pickled, printed and searched
    exactly; what is built from it (a network, a view, a number) belongs to the fit that asked.
    """

    _parameter_constraints: dict = {}

    def check(self):
        """Refuse hyper-parameters out of range.

        Returns
        -------
        self : Component
            The object itself.

        Raises
        ------
        InvalidParameterError
            A `ValueError` that names the parameter, the component and what is allowed.
        """
        self._validate_params()
        refuse_booleans(self)
        return self
