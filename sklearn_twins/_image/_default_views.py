"""The default augmentation of images, scaled to their size, and the two different views of the paper."""

from numbers import Real

from sklearn.utils._param_validation import Interval

from .._parts._two_views import Pair
from ._blur import GaussianBlur
from ._colors import ColorJitter, Grayscale, Solarize
from ._crops import HorizontalFlip, RandomResizedCrop
from ._operations import ImageAugmentation

SIDE = 224  # pixels; the image size that the recipe was written for
SIGMA = (0.1, 2.0)  # pixels, at this size
MIN_SIGMA = 0.5  # pixels; a narrower blur changes next to nothing
JITTER = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.2, "hue": 0.1}


class ImageViews(ImageAugmentation):
    """Augment images by the recipe of Barlow Twins: crop, flip, colour jitter, grayscale, blur, solarize.

    Steps that do not fit the images are left out: saturation, hue and grayscale unless there are three or four
    channels, and solarize unless there are one, three or four. The blur is scaled with the image and left out below 56
    pixels, where its standard deviation would be less than half a pixel.

    NOTE[DIFF]: the paper's two views have different probabilities of blur and solarize, and crops from a share of 0.08
    on, see `barlow_twins_pair`; here both views use the probabilities in between, and crops from 0.2 on, which learns
    sooner on small images.

    Parameters
    ----------
    min_scale : float, default=0.2
        Smallest share of the image's area that a view shows, in (0, 1]. Use 1 if the position in the image matters. See
        `RandomResizedCrop`.
    flip : float, default=0.5
        Share of views that are mirrored, left for right. Use 0 if left and right matter, as in digits.
    jitter : float, default=1.0
        Strength of the colour jitter in 80 % of the views, in [0, 5]. 1 stands for brightness 0.4, contrast 0.4,
        saturation 0.2 and hue 0.1. See `ColorJitter`.
    grayscale : float, default=0.2
        Share of views that are gray.
    blur : float, default=0.5
        Share of views that are blurred, by a standard deviation of 0.1 to 2 pixels in an image of 224 pixels. See
        `GaussianBlur`.
    solarize : float, default=0.1
        Share of views whose bright parts are inverted. See `Solarize`.

    See Also
    --------
    barlow_twins_pair : The paper's two different views.
    Chain : Augmentations of your choice, one after another.
    sklearn_twins.displays.ViewsDisplay : Pictures of views.

    References
    ----------
    Zbontar, Jing, Misra, LeCun and Deny, "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", ICML 2021,
    section 2.2; Grill et al., "Bootstrap Your Own Latent", NeurIPS 2020, appendix B, for the numbers.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.augmentations import ImageViews, make_views
    >>> digits = torch.randint(0, 256, (16, 1, 28, 28), dtype=torch.uint8)
    >>> x_a, x_b = make_views(ImageViews(flip=0.0), digits, digits, torch.Generator().manual_seed(0))
    >>> x_a.shape, x_a.dtype
    (torch.Size([16, 1, 28, 28]), torch.float32)
    """

    _parameter_constraints: dict = {
        "min_scale": [Interval(Real, 0, 1, closed="right")],
        "flip": [Interval(Real, 0, 1, closed="both")],
        "jitter": [Interval(Real, 0, 5, closed="both")],
        "grayscale": [Interval(Real, 0, 1, closed="both")],
        "blur": [Interval(Real, 0, 1, closed="both")],
        "solarize": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, min_scale=0.2, flip=0.5, jitter=1.0, grayscale=0.2, blur=0.5, solarize=0.1):
        self.min_scale = min_scale
        self.flip = flip
        self.jitter = jitter
        self.grayscale = grayscale
        self.blur = blur
        self.solarize = solarize

    def _operations(self, shape, device):
        return [operation for step in self._recipe(shape) for operation in step._operations(shape, device)]

    def _recipe(self, shape):
        """List the augmentations in order; those that do not fit the shape are switched off."""
        channels, *sides = shape
        low, high = (sigma * min(sides) / SIDE for sigma in SIGMA)
        return [
            RandomResizedCrop(scale=(self.min_scale, 1.0)),
            HorizontalFlip(self.flip),
            ColorJitter(**{name: self.jitter * amount for name, amount in JITTER.items()}),
            Grayscale(self.grayscale),
            GaussianBlur((low, high), self.blur if high >= MIN_SIGMA else 0),
            Solarize(probability=self.solarize if channels in (1, 3, 4) else 0),
        ]


def barlow_twins_pair():
    """Make the paper's pair of views: the first always blurred, never solarized; the second rarely gets either.

    Returns
    -------
    pair : Pair
        Two `ImageViews` with different probabilities.

    See Also
    --------
    ImageViews : Both views by one recipe; the default for images.

    References
    ----------
    Zbontar, Jing, Misra, LeCun and Deny, "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", ICML 2021,
    section 2.2.

    Examples
    --------
    >>> from sklearn_twins.augmentations import barlow_twins_pair
    >>> barlow_twins_pair()
    Pair(view_a=ImageViews(blur=1.0, min_scale=0.08, solarize=0.0),
         view_b=ImageViews(blur=0.1, min_scale=0.08, solarize=0.2))
    """
    return Pair(ImageViews(min_scale=0.08, blur=1.0, solarize=0.0), ImageViews(min_scale=0.08, blur=0.1, solarize=0.2))
