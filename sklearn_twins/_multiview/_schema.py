"""The contents of a file that belong to several views: what joins the views' own contents."""

import numpy as np

from .._inference._output import Output
from .._parts._component import Component
from .._parts._modality import Stored
from .._parts._spec import SampleSpec
from .._parts._stored_state import IS_SHAPE, is_array, is_dict, is_int, is_one, is_tuple, require
from ._output import MultiViewOutput
from ._preprocessor import MultiViewPreprocessor
from ._spec import MultiViewSpec, ViewSpec
from ._views import EncodeEachView, ProjectEachView


def is_list(predicate):
    """A predicate: a list whose items satisfy another one."""
    return lambda value: type(value) is list and all(map(predicate, value))


def is_named(value):
    """Whether a value is a name and a component."""
    return type(value) is tuple and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], Component)


def is_columns(value):
    """Whether a value is the columns of a view after a fit: a name, or names or indices."""
    is_label = lambda label: isinstance(label, str) or is_int()(label)  # noqa: E731
    return isinstance(value, str) or (bool(value) and is_list(is_label)(value))


def is_moments(value):
    """Whether a value is two rows of float32."""
    return isinstance(value, np.ndarray) and value.dtype == np.float32 and value.ndim == 2 and len(value) == 2


def check_preprocessor(preprocessor):
    """Refuse a preprocessor whose views, columns and samples contradict each other."""
    names, spec, n = preprocessor.names, preprocessor.spec_, preprocessor.n_features_in_
    require(len({*names}) == len(names) > 0, "two views have one name")
    for given in (preprocessor.columns, preprocessor.passthrough):
        require(type(given) is list and len(given) == len(names), "the numbers of views differ")
    require(type(spec) is MultiViewSpec and [view.name for view in spec.views] == names, "its samples have other views")
    start = 0
    for view, (_, part) in zip(spec.views, preprocessor.views, strict=True):
        require(vars(view.spec) == vars(getattr(part, "spec_", None) or SampleSpec(())), "a view has two specs")
        require(view.start == start < view.stop == start + view.n_values, "a view has another place in its samples")
        start = view.stop
    require(spec.shape == (start + len(names),), "its samples have another shape")
    columns = getattr(preprocessor, "columns_", None)
    from_table = any(given is not None for given in preprocessor.columns)
    require(from_table == (columns is not None), "it has columns of views that are containers")
    require(columns is None or len(columns) == len(names), "the numbers of views differ")
    known = set(getattr(preprocessor, "feature_names_in_", ()))
    labels = [label for own in columns or () for label in ([own] if isinstance(own, str) else own)]
    has_all = all(label in known if isinstance(label, str) else label < n for label in labels)
    require(has_all, "a view has columns that X does not have")


STORED = Stored(
    preprocessor=MultiViewPreprocessor,
    fitted={"views": is_list(is_named)},
    classes={
        MultiViewSpec: {"shape": IS_SHAPE, "views": is_tuple(is_one(ViewSpec)), "has_missing": is_one(bool)},
        ViewSpec: {
            "name": is_one(str),
            "spec": is_one(SampleSpec),
            "start": is_int(),
            "stop": is_int(1),
            "passes_columns": is_one(bool),
        },
        MultiViewOutput: {
            "outputs": is_dict(is_one(Output)),
            "fills": is_dict(is_array(np.float32)),
            "projected": is_dict(is_moments),
        },
        ProjectEachView: {"views": is_list(is_named)},
        EncodeEachView: {
            "views": is_list(is_named),
            "n_components": is_list(lambda width: width is None or is_int(1)(width)),
            "projector": is_one(ProjectEachView),
            "widths_": is_tuple(is_int(1)),
        },
    },
    check=check_preprocessor,
    optional={"columns_": is_list(is_columns)},
)
