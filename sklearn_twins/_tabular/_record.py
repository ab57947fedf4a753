"""The record of tables."""

from .._parts._modality import Modality, Passthrough
from ._drawing import draw_tables
from ._passthrough import are_numbers, count_columns, find_constant_columns, name_columns, write_columns
from ._spec import TableSpec


def preprocessors():
    """Preprocessors of tables by name."""
    from ._preprocessor import TablePreprocessor

    return {"table": TablePreprocessor}


def augmentations():
    """Augmentations of tables by name."""
    from ._complementary import ComplementaryColumns
    from ._corruption import MarginalCorruption, Masking
    from ._noise_and_mixup import GaussianNoise, Mixup

    return {
        "complementary_columns": ComplementaryColumns,
        "gaussian_noise": GaussianNoise,
        "marginal_corruption": MarginalCorruption,
        "masking": Masking,
        "mixup": Mixup,
    }


def encoders():
    """Encoders of tables by name."""
    from ._mlp import MLPEncoder
    from ._resnet import ResNetEncoder

    return {"mlp": MLPEncoder, "resnet": ResNetEncoder}


def stored():
    """File schema of tables."""
    from ._schema import STORED

    return STORED


def onnx():
    """ONNX front of tables."""
    from ._onnx import FRONT

    return FRONT


def make_onnx_columns(spec):
    """The module that writes columns next to the embedding in ONNX graphs."""
    from ._onnx import Columns

    return Columns(spec)


TABULAR = Modality(
    name="tabular",
    spec=TableSpec,
    defaults={"preprocessor": "table", "augmentation": "marginal_corruption", "encoder": "mlp"},
    preprocessors=preprocessors,
    augmentations=augmentations,
    encoders=encoders,
    # Columns louder than the embedding: less gained with one label a class, half as much lost where the embedding
    # harms. Chosen on 24 tables, see docs/benchmarks/quality.md.
    passthrough=Passthrough(
        count_columns, write_columns, are_numbers, name_columns, make_onnx_columns, variances=(6.0, 12.0)
    ),
    constant_columns=find_constant_columns,
    stackable=True,
    stored=stored,
    onnx=onnx,
    sample_ndim=1,
    draw_views=draw_tables,
)
