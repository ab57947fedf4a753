"""Component: the base of all parts of an embedder."""

from sklearn.base import BaseEstimator

from .._html_repr import DocumentationLinkMixin
from ._parameter_names import explain_unknown_parameters, suggest_own
from ._plain_values import with_plain_parameters
from ._validation import refuse_booleans


class Component(DocumentationLinkMixin, BaseEstimator):
    """Base of the parts of an embedder: hyper-parameters only, without weights and fitted state.

    A component is a scikit-learn `BaseEstimator`, so that it can be cloned, pickled, printed and searched. Whatever is
    built from it (a network, a view, a number) belongs to the fit.
    """

    _parameter_constraints: dict = {}

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        explain_unknown_parameters(cls, suggest_own)

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

    def __getstate__(self):
        return with_plain_parameters(self, super().__getstate__())
