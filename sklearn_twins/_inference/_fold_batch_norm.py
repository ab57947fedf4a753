"""Batch norm folded into the layer beside it: a trained encoder's shorter twin, for inference only."""

import weakref

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from .._parts._encoder import BLOCK, STEM

# Outputs of these layers have two axes or four, never three: with three, a BatchNorm1d normalises the second one, which
# is not the one that the Linear in front of it makes.
PLAIN = (nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.Flatten)
LAYERS = (nn.Conv2d, nn.BatchNorm2d, BLOCK, *PLAIN)
# Products with fewer outputs round by a row's place in the batch (MKL, if inputs are no multiple of 4; found by trial).
LEAST_OUTPUTS = 12
OVERWRITABLE = (nn.Linear, nn.BatchNorm1d, nn.Conv2d, nn.BatchNorm2d)  # their output is a new tensor


class FoldedSequential(nn.Sequential):
    """A chain that calls its layers' ``forward``: looking for hooks takes a twentieth of a small network's time."""

    def forward(self, x):
        for layer in self._modules.values():
            x = layer.forward(x)
        return x


class NarrowLinear(nn.Module):
    """A linear layer of few outputs, computed as one of more, of which the others are dropped.

    Shape
    -----
    (batch, in_features) -> (batch, out_features)
    """

    def __init__(self, linear):
        super().__init__()
        self.out_features, rest = linear.out_features, LEAST_OUTPUTS - linear.out_features
        self.weight = nn.Parameter(F.pad(linear.weight, (0, 0, 0, rest)), requires_grad=False)
        self.bias = None if linear.bias is None else nn.Parameter(F.pad(linear.bias, (0, rest)), requires_grad=False)

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)[:, : self.out_features]


def kind_of(layer):
    """The kind that a layer is folded as: its type, or what its class declares by `folds_as`.

    Subclasses may do anything, so they do not inherit the declaration.
    """
    return vars(type(layer)).get("folds_as", type(layer))


_folded = weakref.WeakKeyDictionary()  # encoder -> (its stamp, the twin)


def folded(encoder):
    """An encoder's twin with batch norm folded into its neighbours, made once and kept as long as the encoder lives.

    It is kept here, neither on the embedder nor on the encoder: pickles, copies and hashes know nothing of it, and it
    is made again when the encoder has been changed. Threads may call this at once: both make the same.

    Parameters
    ----------
    encoder : nn.Module
        In eval mode, on any device. It is only read.

    Returns
    -------
    twin : nn.Module
        Of the same output but for rounding, for inference only. The encoder itself if it is not one of ours, is not in
        eval mode, or is watched or changed by hooks or a `forward` put in from outside.
    """
    if not is_foldable(encoder):
        return encoder
    now = stamp(encoder)
    before, twin = _folded.get(encoder, (None, None))
    if now is None or now != before:
        twin = fold(encoder)
        _folded[encoder] = now, twin
    return twin


def is_foldable(encoder):
    """Whether an encoder is a chain of ours: a stem and known layers, in eval mode, with nothing attached to them."""
    if type(encoder) is not nn.Sequential or not len(encoder) or kind_of(encoder[0]) != STEM:
        return False
    layers = list(encoder)[1:]
    if not all(kind_of(layer) in LAYERS for layer in layers):
        return False
    if any(type(layer) is nn.Flatten and (layer.start_dim, layer.end_dim) != (1, -1) for layer in layers):
        return False
    return not any(
        layer.training or layer._forward_hooks or layer._forward_pre_hooks or "forward" in vars(layer)
        for layer in encoder.modules()
    )


def stamp(encoder):
    """What changes when weights do: where each tensor is, and torch's count of the changes made to it in place.

    None if that cannot be told: tensors made in torch's inference mode count nothing. What is written in place through
    ``.data`` is not counted either; torch itself cannot tell.
    """
    marks = []
    for layer in encoder.modules():
        for tensor in (*layer._parameters.values(), *layer._buffers.values()):
            if tensor is not None:
                if tensor.is_inference():
                    return None
                marks.append((tensor.data_ptr(), tensor._version))
    return marks


def fold(encoder):
    """Fold batch norm of a chain of ours, see `is_foldable`; layers without any are shared with the encoder.

    Parameters
    ----------
    encoder : nn.Sequential
        In eval mode.

    Returns
    -------
    twin : nn.Sequential
    """
    with torch.inference_mode(False), torch.no_grad():
        return fold_layers(encoder)


def fold_layers(layers):
    """A Linear or convolution and the norm behind it -> one layer; a norm and the Linear behind it, too.

    A norm before a convolution stays: zeros at the image's edge, which come behind the norm, are not shifted. ReLU
    overwrites its input where nobody else needs it.
    """
    kept = []
    for layer in layers:
        last = kept[-1] if kept else None
        if type(layer) is nn.BatchNorm1d and type(last) is nn.Linear and has_statistics(layer):
            kept[-1] = fuse_linear_bn_eval(last, layer)
        elif kind_of(layer) is nn.BatchNorm2d and kind_of(last) is nn.Conv2d and has_statistics(layer):
            kept[-1] = fuse_conv_bn_eval(last, layer)
        elif type(layer) is nn.Linear and type(last) is nn.BatchNorm1d and has_statistics(last):
            kept[-1] = fuse_bn_linear(last, layer)
        elif type(layer) is nn.ReLU and kind_of(last) in OVERWRITABLE:
            kept.append(nn.ReLU(inplace=True))
        else:
            kept.append(fold_block(layer))
    return FoldedSequential(*(NarrowLinear(layer) if is_narrow(layer) else layer for layer in kept)).eval()


def is_narrow(layer):
    """Whether a layer is linear with so few outputs that a row's place would matter."""
    return type(layer) is nn.Linear and layer.out_features < LEAST_OUTPUTS


def fold_block(layer):
    """A residual block with its branches folded; any other layer as it is."""
    if kind_of(layer) != BLOCK:
        return layer
    twin = type(layer).__new__(type(layer))
    nn.Module.__init__(twin)
    for name, part in layer.named_children():
        setattr(twin, name, fold_layers(part) if type(part) is nn.Sequential else part)
    return twin.eval()


def has_statistics(norm):
    """Whether a norm is a fixed affine map in eval mode."""
    return norm.affine and norm.running_mean is not None and norm.running_var is not None


def fuse_bn_linear(norm, linear):
    """One linear layer for a batch norm in eval mode and the linear layer behind it.

    Shape
    -----
    (batch, in_features) -> (batch, out_features)
    """
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)  # (in_features,)
    shift = norm.bias - norm.running_mean * scale
    twin = nn.Linear(linear.in_features, linear.out_features, device="meta")
    bias = (linear.weight * shift).sum(1)
    twin.weight = nn.Parameter(linear.weight * scale, requires_grad=False)
    twin.bias = nn.Parameter(bias if linear.bias is None else bias + linear.bias, requires_grad=False)
    return twin
