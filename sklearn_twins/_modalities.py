"""The roles of an embedder with the names they know, and each modality's defaults."""

from dataclasses import dataclass

from sklearn.utils import get_tags

from ._components import Role, is_component

ROLES = {
    role.parameter: role
    for role in (
        Role("preprocessor", "preprocessing", {"table": "TablePreprocessor"}, needs=("fit_transform", "transform")),
        Role(
            "augmentation",
            "augmentations",
            {
                "gaussian_noise": "GaussianNoise",
                "identity": "Identity",
                "marginal_corruption": "MarginalCorruption",
                "masking": "Masking",
                "mixup": "Mixup",
            },
            takes_callables=True,
        ),
        Role(
            "encoder",
            "networks",
            {"mlp": "MLPEncoder", "resnet": "ResNetEncoder"},
            needs=("build",),
            takes_callables=True,
        ),
        Role("projector", "networks", {"identity": "IdentityProjector", "mlp": "MLPProjector"}, needs=("build",)),
        Role(
            "objective",
            "objectives",
            {"barlow_twins": "BarlowTwins", "hsic": "HSIC"},
            takes_callables=True,
        ),
    )
}


@dataclass(frozen=True)
class Modality:
    """What "auto" means for one kind of sample: a name for each role."""

    preprocessor: str
    augmentation: str
    encoder: str
    projector: str = "mlp"
    objective: str = "barlow_twins"


MODALITIES = {
    "tabular": Modality(preprocessor="table", augmentation="marginal_corruption", encoder="mlp"),
}


def resolve(parameter, value, modality):
    """What a role's parameter stands for: "auto" and names become new components.

    Parameters
    ----------
    parameter : str
        Name of the role.
    value : str, component or callable
        What the user gave.
    modality : str
        Whose defaults "auto" means.

    Returns
    -------
    part : component or callable
    """
    if isinstance(value, str) and value == "auto":
        if modality not in MODALITIES:
            raise ValueError(f"modality={modality!r} is not known. Use one of {sorted(MODALITIES)}.")
        value = getattr(MODALITIES[modality], parameter)
    return ROLES[parameter].resolve(value)


def input_tags(preprocessor):
    """What X may be, in scikit-learn's tags: the preprocessor says it, be it a name, a component, or nothing valid."""
    own = is_component(preprocessor) and hasattr(preprocessor, "__sklearn_tags__")
    return get_tags(preprocessor if own else ROLES["preprocessor"].resolve("table")).input_tags
