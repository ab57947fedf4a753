"""The record of images."""

from functools import partial

from .._parts._joint_recipe import CONVOLUTIONAL
from .._parts._modality import Modality
from ._drawing import draw_images
from ._spec import ImageSpec


def preprocessors():
    """Preprocessors of images by name."""
    from ._preprocessor import ImagePreprocessor

    return {"image": ImagePreprocessor}


def augmentations():
    """Augmentations of images by name."""
    from ._default_views import ImageViews, barlow_twins_pair

    return {"barlow_twins_pair": barlow_twins_pair, "image_views": ImageViews}


def encoders():
    """Encoders of images by name."""
    from ._convnet import ConvNetEncoder
    from ._resnet import ImageResNetEncoder

    return {
        "convnet": ConvNetEncoder,
        "resnet18": partial(ImageResNetEncoder, depth=18),
        "resnet50": partial(ImageResNetEncoder, depth=50),
    }


def encoder_families():
    """Families of encoders, ``"timm:NAME"``, by their prefix."""
    from ._timm import TimmEncoder

    return {"timm": TimmEncoder}


def stored():
    """File schema of images."""
    from ._schema import STORED

    return STORED


def onnx():
    """ONNX front of images."""
    from ._onnx import FRONT

    return FRONT


IMAGE = Modality(
    name="image",
    spec=ImageSpec,
    defaults={"preprocessor": "image", "augmentation": "image_views", "encoder": "convnet"},
    preprocessors=preprocessors,
    augmentations=augmentations,
    encoders=encoders,
    encoder_families=encoder_families,
    optimizer="muon",
    n_steps=1_300,
    epochs=(7, 50),
    convolutional=True,
    joint=CONVOLUTIONAL,
    stored=stored,
    onnx=onnx,
    sample_ndim=3,
    draw_views=draw_images,
)
