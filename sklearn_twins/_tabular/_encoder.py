"""TableEncoder, the base of the networks for tables: the stem in front, and expanded numbers."""

from sklearn.utils._param_validation import HasMethods, StrOptions

from .._parts._encoder import Encoder
from .._parts._validation import check_call, check_instance, check_part
from ._numeric_embeddings import EXPANSIONS, resolve_expansion
from ._spec import TableSpec
from ._stem import TableStem

EXPANSION_CONSTRAINT = [StrOptions(set(EXPANSIONS)), HasMethods(["build"]), None]


def check_table_spec(component, spec):
    """Refuse to encode images as rows of a table."""
    if not isinstance(spec, TableSpec):
        raise ValueError(
            f"encoder={component!r} is for tables, samples of shape (columns,). Got samples of shape {spec.shape}. For "
            "images use encoder='auto', 'convnet', 'resnet18', 'resnet50' or 'timm:NAME'."
        )


class TableEncoder(Encoder):
    """Base of encoders of tables, with the parameter `expansion`, which expands each number first.

    Subclasses define the layers behind the stem: ``_layers(width_in) -> (list of nn.Module, width)``.
    """

    def _layers(self, width_in):
        """Layers behind the stem, and the width of their output."""
        raise NotImplementedError

    def check(self):
        """Refuse hyper-parameters out of range, those of the expansion too.

        Returns
        -------
        self : TableEncoder
            The object itself.

        Raises
        ------
        InvalidParameterError
            A `ValueError` that names the parameter and what is allowed.
        """
        super().check()
        check_instance(self.expansion, f"expansion of {type(self).__name__}")
        check_part(self.expansion)
        if hasattr(self.expansion, "build"):
            check_call(self.expansion.build, f"expansion.build of {type(self).__name__}", "edges")
        return self

    def set_params(self, **params):
        """Set parameters, of the expansion too: ``expansion__width=4``. A name becomes its component first.

        Parameters
        ----------
        **params : dict
            Parameters of the encoder, or ``expansion__parameter``.

        Returns
        -------
        self : TableEncoder
            The object itself.
        """
        super().set_params(**{name: value for name, value in params.items() if "__" not in name})
        nested = {name: value for name, value in params.items() if "__" in name}
        if nested and self.expansion in EXPANSIONS:
            self.expansion = resolve_expansion(self.expansion)
        return super().set_params(**nested)

    def _check_spec(self, spec):
        check_table_spec(self, spec)

    def _make(self, spec):
        """The stem, the layers behind it, and the width of their output."""
        stem = TableStem(spec, self.expansion)
        return stem, *self._layers(stem.width)
