"""The terms of Barlow Twins and HSIC as one autograd function, which saves time and memory."""

import torch

from ._correlation import VARIANCE_EPS, at_least_float32, gram, is_wide, refuse_second_derivative

CHUNK_NUMBERS = 2**16  # numbers in a chunk for each thread, so that several chunks fit into a core's cache
NARROWEST_CHUNK = 256  # columns; products with fewer are slow


def split_columns(*tensors):
    """Split tensors along their last axis, which they share, into chunks that fit a CPU's cache; only on a CPU."""
    n, dim = tensors[0].shape
    width = max(NARROWEST_CHUNK, CHUNK_NUMBERS * torch.get_num_threads() // n)
    if dim <= width or tensors[0].device.type != "cpu":
        return [tensors]
    width = -(-dim // round(dim / width))
    return zip(*(tensor.split(width, -1) for tensor in tensors), strict=True)


def concatenate(chunks):
    """Concatenate vectors without a copy if there is only one."""
    return torch.cat(chunks) if len(chunks) > 1 else chunks[0]


def normalize_columns(z):
    """Centre every coordinate and scale it to norm 1, eps included.

    The result is `standardize(z) / sqrt(n)`, so that products of two such matrices are correlations.

    Parameters
    ----------
    z : Tensor of shape (batch, dim)
        Projections, at least float32.

    Returns
    -------
    u : Tensor of shape (batch, dim)
    scale : Tensor of shape (dim,)
        Factor of each centred coordinate.
    """
    u, scales = z.new_empty(z.shape), []
    for z_j, u_j in split_columns(z, u):
        torch.sub(z_j, z_j.mean(0), out=u_j)
        scales.append((u_j * u_j).sum(0).add_(len(z) * VARIANCE_EPS).rsqrt_())
        u_j.mul_(scales[-1])
    return u, concatenate(scales)


def direct_sums(u_a, u_b, target):
    """Compute the diagonal of C and its off-diagonal sum from C itself.

    Parameters
    ----------
    u_a, u_b : Tensors of shape (batch, dim)
        From `normalize_columns`.
    target : float
        Target of off-diagonal correlations.

    Returns
    -------
    on : Tensor of shape (dim,)
        Diagonal of C.
    off : scalar Tensor
        Sum of ``(C_ij - target)^2`` off the diagonal.
    saved : tuple
        Tensors for `direct_gradients`: D, which is ``C - target`` off the diagonal and 0 on it, and the sums of
        ``C * D`` over either axis.
    """
    D = u_a.T @ u_b
    diagonal = D.diagonal()
    on = diagonal.clone()
    if target:
        D.sub_(target)
    diagonal.zero_()  # so that only off-diagonal squares are summed, without cancellation
    squares = D * D
    rows, columns = squares.sum(1), squares.sum(0)
    off = rows.sum()
    if target:  # C * D is D * D + target * D
        rows.add_(D.sum(1), alpha=target)
        columns.add_(D.sum(0), alpha=target)
    return on, off, (D, rows, columns)


def direct_gradients(u_a, u_b, on, of_on, of_off, target, saved):
    """Make functions that compute the gradient of each view's centred columns over their scale; direct form.

    With M the gradient of C, the gradient of u_a is ``u_b M'``. Differentiating the norms subtracts ``u_a q``, where
    ``q_i = sum_j C_ij M_ij``.

    Parameters
    ----------
    u_a, u_b : Tensors of shape (batch, dim)
        From `normalize_columns`.
    on : Tensor of shape (dim,)
        Diagonal of C.
    of_on : Tensor of shape (dim,)
        Gradient of the diagonal.
    of_off : scalar Tensor
        Twice the gradient of the off-diagonal sum.
    target : float
        Target of off-diagonal correlations.
    saved : tuple
        From `direct_sums`.

    Returns
    -------
    gradient_a, gradient_b : callables
        Functions without arguments that return a Tensor of shape (batch, dim).
    """
    D, rows, columns = saved
    M = D * of_off
    M.diagonal().copy_(of_on)

    def gradient(u, other, M, sums):
        return (u * torch.addcmul(of_off * sums, of_on, on)).addmm_(other, M, beta=-1)

    return lambda: gradient(u_a, u_b, M.T, rows), lambda: gradient(u_b, u_a, M, columns)


def gram_sums(u_a, u_b, target):
    """Compute the diagonal of C and its off-diagonal sum from Gram matrices of rows, without C.

    The sum of ``(C_ij - target)^2`` is ``<K_a, K_b> - 2 target <t_a, t_b> + dim^2 target^2`` minus its diagonal, where
    K are the Gram matrices and t the sums of each row. Parameters and results are those of `direct_sums`, except that K
    and t are saved.
    """
    dim = u_a.shape[1]
    on = concatenate([(a_j * b_j).sum(0) for a_j, b_j in split_columns(u_a, u_b)])
    K_a, K_b, t_a, t_b = gram(u_a), gram(u_b), None, None
    off = (K_a * K_b).sum() - on.square().sum()
    if target:
        t_a, t_b = u_a.sum(1), u_b.sum(1)
        off += target**2 * dim * (dim - 1) - 2 * target * ((t_a * t_b).sum() - on.sum())
    return on, off, (K_a, K_b, t_a, t_b)


def gram_gradients(u_a, u_b, on, of_on, of_off, target, saved):
    """Make functions that compute the gradient of each view's centred columns over their scale; Gram form.

    The gradient of u_a is ``G = K_b u_a + v u_b + t``, where v comes from the diagonal and t from the sums of rows.
    Differentiating the norms subtracts ``u_a q``, where ``q_i`` is the product of the i-th columns of G and u_a.
    Parameters and results are those of `direct_gradients`.
    """
    K_a, K_b, t_a, t_b = saved
    v = of_on - of_off * (on - target)

    def gradient(u, other, K, t):
        K, t = of_off * K, None if t is None else (of_off * -target * t).unsqueeze(1)
        result = torch.empty_like(u)
        for u_j, other_j, v_j, G in split_columns(u, other, v, result):
            torch.mul(other_j, v_j, out=G)
            if t is not None:
                G.add_(t)
            G.addmm_(K, u_j)
            G.addcmul_(u_j, (G * u_j).sum(0), value=-1)
        return result

    return lambda: gradient(u_a, u_b, K_b, t_b), lambda: gradient(u_b, u_a, K_a, t_a)


class CorrelationTerms(torch.autograd.Function):
    """Implement `correlation_terms` as one node of the autograd graph."""

    @staticmethod
    def forward(ctx, z_a, z_b, weight, target):
        ctx.weight, ctx.target, ctx.dtypes, ctx.wide = weight, target, (z_a.dtype, z_b.dtype), is_wide(z_a)
        with torch.autocast(z_a.device.type, enabled=False):
            (u_a, scale_a), (u_b, scale_b) = (normalize_columns(at_least_float32(z)) for z in (z_a, z_b))
            on, off, saved = (gram_sums if ctx.wide else direct_sums)(u_a, u_b, target)
            short = 1 - on
            ctx.save_for_backward(u_a, u_b, scale_a, scale_b, on, short, *saved)
            return (short * short).sum(), off * weight

    @staticmethod
    def backward(ctx, of_invariance, of_redundancy):
        # The gradient of every column of u sums to 0, as u's columns do, so that centring does not change it.
        refuse_second_derivative()
        u_a, u_b, scale_a, scale_b, on, short, *saved = ctx.saved_tensors
        gradients = gram_gradients if ctx.wide else direct_gradients
        with torch.autocast(on.device.type, enabled=False):
            of_on, of_off = short * (-2 * of_invariance), of_redundancy * (2 * ctx.weight)
            of_a, of_b = gradients(u_a, u_b, on, of_on, of_off, ctx.target, saved)
            dtype_a, dtype_b = ctx.dtypes
            gradient_a = of_a().mul_(scale_a).to(dtype_a) if ctx.needs_input_grad[0] else None
            gradient_b = of_b().mul_(scale_b).to(dtype_b) if ctx.needs_input_grad[1] else None
        return gradient_a, gradient_b, None, None


def correlation_terms(z_a, z_b, weight, target):
    """Compute the invariance and redundancy of two projections.

    ``sum_i (1 - C_ii)^2`` and ``weight * sum_{i != j} (C_ij - target)^2``, where C is the cross-correlation of the
    projections after `standardize`. The cheaper of two equal forms is used: C itself, in O(batch dim^2), or, if the
    projections are wider than the batch, the Gram matrices of both views' rows, in O(batch^2 dim) and without any
    larger tensor than these and the projections. Gradients reuse the tensors of the forward pass.

    Parameters
    ----------
    z_a, z_b : Tensors of shape (batch, dim)
        Projections of two views of the same rows.
    weight : float
        Weight of the off-diagonal sum.
    target : float
        Target of off-diagonal correlations: 0 for Barlow Twins, -1 for its HSIC form.

    Returns
    -------
    invariance, redundancy : scalar Tensors, at least float32
        The two sums; the second one includes the weight.
    """
    return CorrelationTerms.apply(z_a, z_b, weight, target)
