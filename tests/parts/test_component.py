"""Components, roles and sample specs: without weights, cloned exactly, and named in every error."""

import copy
import pickle
from numbers import Integral

import pytest
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, InvalidParameterError, validate_parameter_constraints

from sklearn_twins._modalities import MODALITIES
from sklearn_twins._parts._component import Component
from sklearn_twins._parts._validation import check_part
from sklearn_twins._roles import ROLES
from sklearn_twins.augmentations import Identity, ImageViews, MarginalCorruption, Masking
from sklearn_twins.networks import ConvNetEncoder, IdentityProjector, MLPEncoder, MLPProjector
from sklearn_twins.objectives import HSIC, BarlowTwins
from sklearn_twins.preprocessing import ImagePreprocessor, TablePreprocessor, TableSpec

NAMED = [(parameter, name) for parameter, role in ROLES.items() for name in role.parts()]


class Knob(Component):
    _parameter_constraints: dict = {"turn": [Interval(Integral, 0, 10, closed="both")]}

    def __init__(self, turn=1):
        self.turn = turn


def test_spec_counts_columns_and_marks():
    assert TableSpec((5,)).n_inputs == 5
    assert TableSpec((5,), missing=(1, 3)).n_inputs == 7


def test_spec_is_a_value():
    spec = TableSpec((5,), missing=(1,))
    assert spec == TableSpec((5,), (1,)) != TableSpec((5,))
    assert len({spec, TableSpec((5,), (1,))}) == 1 and pickle.loads(pickle.dumps(spec)) == spec
    with pytest.raises(AttributeError):
        spec.shape = (6,)


def test_component_stores_and_checks_late():
    knob = Knob(turn=99)
    assert knob.turn == 99
    with pytest.raises(InvalidParameterError, match="'turn' parameter of Knob"):
        knob.check()
    assert knob.set_params(turn=3).check() is knob


def test_component_clones_pickles_and_prints():
    knob = Knob(turn=4)
    assert clone(knob).get_params() == {"turn": 4}
    assert repr(knob) == "Knob(turn=4)"


def test_check_part_checks_components_and_lets_callables_be():
    assert check_part(len) is len
    knob = Knob(3)
    assert check_part(knob) is knob
    with pytest.raises(InvalidParameterError):
        check_part(Knob(-1))


@pytest.mark.parametrize(("parameter", "name"), NAMED)
def test_every_name_becomes_a_new_component(parameter, name):
    role = ROLES[parameter]
    first, second = (role.resolve(name, "tabular") for _ in range(2))
    assert isinstance(first, Component) and type(first) is type(second) and first is not second
    assert repr(first) == repr(second) and first.check() is first
    assert all(callable(getattr(first, method)) for method in role.needs)


def test_names_with_parameters_and_families():
    encoder, augmentation = ROLES["encoder"], ROLES["augmentation"]
    assert repr(encoder.resolve("resnet50", "image")) == "ImageResNetEncoder(depth=50)"
    assert repr(encoder.resolve("timm:vit_tiny", "image")) == "TimmEncoder(name='vit_tiny')"
    assert repr(augmentation.resolve("barlow_twins_pair", "image")).startswith("Pair(view_a=ImageViews(")
    with pytest.raises(ValueError, match="'timm:NAME'"):
        encoder.resolve("timm:", "image")


@pytest.mark.parametrize("parameter", ROLES)
def test_unknown_name_is_refused_with_the_known_ones(parameter):
    with pytest.raises(ValueError, match=f"{parameter}='nonsense' is not known. Use 'auto', one of") as error:
        ROLES[parameter].resolve("nonsense", "tabular")
    assert all(repr(name) in str(error.value) for name in ROLES[parameter].parts())


@pytest.mark.parametrize("part", [MarginalCorruption(0.7), len, None, 3])
def test_anything_but_a_name_is_left_as_it_is(part):
    assert ROLES["augmentation"].resolve(part, "tabular") is part


def test_auto_is_the_default_of_the_modality():
    assert MODALITIES.keys() >= {"image", "tabular"}
    for modality, kinds in {
        "tabular": [TablePreprocessor, MarginalCorruption, MLPEncoder, MLPProjector, BarlowTwins],
        "image": [ImagePreprocessor, ImageViews, ConvNetEncoder, MLPProjector, BarlowTwins],
    }.items():
        assert [type(role.resolve("auto", modality)) for role in ROLES.values()] == kinds
    with pytest.raises(ValueError, match="modality='video' is not known"):
        ROLES["encoder"].resolve("auto", "video")


ACCEPTED = {
    "preprocessor": ["auto", "table", TablePreprocessor()],
    "augmentation": ["auto", "masking", Masking(), lambda x, data, generator: x],
    "encoder": ["auto", "mlp", "timm:resnet18", MLPEncoder(), lambda spec: None],
    "projector": ["auto", "identity", IdentityProjector()],
    "objective": ["auto", "hsic", "vicreg", "info_nce", "mixed_barlow_twins", "ssl_hsic", HSIC(), lambda z_a, z_b: 0],
}
REFUSED = {
    "preprocessor": ["mlp", None, 3, Identity()],
    "augmentation": ["hsic", None, 3],
    "encoder": ["table", "timm", "timm:", "torch:resnet18", None, 3],
    "projector": ["table", None, 3, Identity()],
    "objective": ["mlp", None, 3],
}


@pytest.mark.parametrize(("parameter", "value"), [(p, v) for p, values in ACCEPTED.items() for v in values])
def test_roles_accept(parameter, value):
    validate_parameter_constraints({parameter: ROLES[parameter].constraint}, {parameter: value}, "Embedder")


@pytest.mark.parametrize(("parameter", "value"), [(p, v) for p, values in REFUSED.items() for v in values])
def test_roles_refuse(parameter, value):
    with pytest.raises(InvalidParameterError, match=f"'{parameter}' parameter of Embedder"):
        validate_parameter_constraints({parameter: ROLES[parameter].constraint}, {parameter: value}, "Embedder")


@pytest.mark.parametrize("edges", [(), ((0.0, 0.5, 1.0), (1.0, 1.0, 2.5))])
def test_spec_is_copied_whole(edges):
    spec = TableSpec((2,), missing=(1,), edges=edges, clip=1.5)
    for twin in (pickle.loads(pickle.dumps(spec)), copy.deepcopy(spec), copy.copy(spec)):
        assert twin == spec and twin.edges == edges and repr(twin) == repr(spec) and hash(twin) == hash(spec)
