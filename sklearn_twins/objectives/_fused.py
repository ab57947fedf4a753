"""Both objectives of the cross-correlation in one step each way, from projections to terms and back to gradients."""

import torch

from ._correlation import EPS, at_least_float32, gram, is_wide, refuse_second_derivative

# Numbers of a tensor that are worked on at a time and thread, so that several such pieces stay in a core's cache.
PIECE = 2**16
NARROWEST_PIECE = 256  # of which products are still fast


def in_pieces(*tensors):
    """Tensors of equal last axis, cut along it into pieces that fit the processor's cache; uncut on other devices."""
    n, dim = tensors[0].shape
    width = max(NARROWEST_PIECE, PIECE * torch.get_num_threads() // n)
    if dim <= width or tensors[0].device.type != "cpu":
        return [tensors]
    width = -(-dim // round(dim / width))
    return zip(*(tensor.split(width, -1) for tensor in tensors), strict=True)


def centered(z, out=None):
    """Centred coordinates, and what gives each of them norm 1, eps included.

    ``c * scale`` is `standardize(z) / sqrt(n)`: products of two such matrices are correlations, with no n left over.

    Parameters
    ----------
    z : Tensor of shape (batch, dim)
        Projections, at least float32.
    out : Tensor of shape (batch, dim), optional
        Where c goes.

    Returns
    -------
    c : Tensor of shape (batch, dim)
    scale : Tensor of shape (dim,)
    """
    c = torch.sub(z, z.mean(0), out=out)
    return c, (c * c).sum(0).add_(len(z) * EPS).rsqrt_()


def direct_sums(z_a, z_b, target):
    """Diagonal and off-diagonal sum, through C itself.

    Parameters
    ----------
    z_a, z_b : Tensors of shape (batch, dim)
        Projections, at least float32.
    target : float
        What off-diagonal correlations should be.

    Returns
    -------
    on : Tensor of shape (dim,)
        Diagonal of C.
    off : scalar Tensor
        Sum of ``(C_ij - target)^2`` off it.
    saved : tuple
        For `direct_gradients`.
    """
    (c_a, scale_a), (c_b, scale_b) = centered(z_a), centered(z_b)
    C = (c_a.T @ c_b).mul_(scale_a.unsqueeze(1)).mul_(scale_b)
    on = C.diagonal().clone()
    D = C.sub_(target) if target else C
    D.diagonal().zero_()  # so that the sum of all squares is that of those off it, with nothing to cancel
    squares = D * D
    rows, columns = squares.sum(1), squares.sum(0)
    off = rows.sum()
    if target:  # D (D + target) is D C
        rows.add_(D.sum(1), alpha=target)
        columns.add_(D.sum(0), alpha=target)
    return on, off, (c_a, c_b, scale_a, scale_b, D, rows, columns)


def direct_gradients(on, of_on, of_off, target, saved, needs_a, needs_b):
    """Gradients of both projections in the direct form.

    With M the gradient of C, that of the first is ``scale_a * (s_b M' - s_a q)``, where s are the scaled coordinates
    and ``q_i = sum_j C_ij M_ij``. M with both scales is made once, for both.

    Parameters
    ----------
    on : Tensor of shape (dim,)
        Diagonal of C.
    of_on : Tensor of shape (dim,)
        Gradient of the diagonal.
    of_off : scalar Tensor
        Gradient of the off-diagonal sum.
    target : float
        What off-diagonal correlations should be.
    saved : tuple
        From `direct_sums`.
    needs_a, needs_b : bool
        Which gradients are wanted.

    Returns
    -------
    gradient_a, gradient_b : Tensors of shape (batch, dim), or None
    """
    c_a, c_b, scale_a, scale_b, D, rows, columns = saved
    of_off = 2 * of_off
    M = (D * (of_off * scale_a).unsqueeze(1)).mul_(scale_b)
    M.diagonal().copy_((of_on * scale_a).mul_(scale_b))

    def gradient(c, other, M, scale, sums):
        q = torch.addcmul(of_off * sums, of_on, on).mul_(scale).mul_(scale)
        return (c * q).addmm_(other, M, beta=-1)

    return (
        gradient(c_a, c_b, M.T, scale_a, rows) if needs_a else None,
        gradient(c_b, c_a, M, scale_b, columns) if needs_b else None,
    )


def unit_columns(z):
    """``c * scale`` and the scale of `centered`.  # (batch, dim) -> (batch, dim), (dim,)"""
    u, scale = z.new_empty(z.shape), z.new_empty(z.shape[1])
    for z_j, u_j, scale_j in in_pieces(z, u, scale):
        scale_j.copy_(centered(z_j, out=u_j)[1])
        u_j.mul_(scale_j)
    return u, scale


def gram_sums(z_a, z_b, target):
    """Diagonal and off-diagonal sum, through the Gram matrices of rows.

    The sum of ``(C_ij - target)^2`` is ``<K_a, K_b> - 2 target <t_a, t_b> + dim^2 target^2`` less its diagonal, where
    K are the Gram matrices and t the sums of each row, so that C need not be formed.

    Parameters and results are those of `direct_sums`.
    """
    dim = z_a.shape[1]
    (u_a, scale_a), (u_b, scale_b) = unit_columns(z_a), unit_columns(z_b)
    on = torch.cat([(a_j * b_j).sum(0) for a_j, b_j in in_pieces(u_a, u_b)])
    K_a, K_b, t_a, t_b = gram(u_a), gram(u_b), None, None
    off = (K_a * K_b).sum() - on.square().sum()
    if target:
        t_a, t_b = u_a.sum(1), u_b.sum(1)
        off += target**2 * dim * (dim - 1) - 2 * target * ((t_a * t_b).sum() - on.sum())
    return on, off, (u_a, u_b, scale_a, scale_b, K_a, K_b, t_a, t_b)


def gram_gradients(on, of_on, of_off, target, saved, needs_a, needs_b):
    """Gradients of both projections in the Gram form.

    With ``G = K_b u_a + v u_b + t``, that of the first is ``scale_a * (G - u_a q)``, where v is what the diagonal adds,
    t what the sums of rows add, and ``q_i`` is the product of the i-th columns of G and u_a.

    Parameters and results are those of `direct_gradients`.
    """
    u_a, u_b, scale_a, scale_b, K_a, K_b, t_a, t_b = saved
    of_off = 2 * of_off
    v = of_on - of_off * (on - target)

    def gradient(u, other, scale, K, t):
        K, t = of_off * K, None if t is None else (of_off * -target * t).unsqueeze(1)
        result = torch.empty_like(u)
        for u_j, other_j, scale_j, v_j, G in in_pieces(u, other, scale, v, result):
            torch.mul(other_j, v_j, out=G)
            if t is not None:
                G.add_(t)
            G.addmm_(K, u_j)
            G.addcmul_(u_j, (G * u_j).sum(0), value=-1).mul_(scale_j)
        return result

    return (
        gradient(u_a, u_b, scale_a, K_b, t_b) if needs_a else None,
        gradient(u_b, u_a, scale_b, K_a, t_a) if needs_b else None,
    )


class CorrelationTerms(torch.autograd.Function):
    """The terms, as one node of the graph: `correlation_terms` says what they are."""

    @staticmethod
    def forward(ctx, z_a, z_b, weight, target):
        ctx.weight, ctx.target, ctx.dtypes, ctx.wide = weight, target, (z_a.dtype, z_b.dtype), is_wide(z_a)
        sums = gram_sums if ctx.wide else direct_sums
        with torch.autocast(z_a.device.type, enabled=False):
            on, off, saved = sums(at_least_float32(z_a), at_least_float32(z_b), target)
            ctx.save_for_backward(on, *saved)
            return (1 - on).square_().sum(), off * weight

    @staticmethod
    def backward(ctx, of_invariance, of_redundancy):
        # The gradient of C sums to 0 over the rows, since they are centred, so that no mean need be taken off it.
        refuse_second_derivative()
        on, *saved = ctx.saved_tensors
        gradients = gram_gradients if ctx.wide else direct_gradients
        with torch.autocast(on.device.type, enabled=False):
            of_on = (on - 1).mul_(2 * of_invariance)
            found = gradients(on, of_on, of_redundancy * ctx.weight, ctx.target, saved, *ctx.needs_input_grad[:2])
        return *(g if g is None else g.to(dtype) for g, dtype in zip(found, ctx.dtypes, strict=True)), None, None


def correlation_terms(z_a, z_b, weight, target):
    """Invariance and redundancy of two projections.

    ``sum_i (1 - C_ii)^2`` and ``weight * sum_{i != j} (C_ij - target)^2``, with C the cross-correlation of the
    projections, standardised as by `standardize`. The cheaper of two equal forms is taken: C itself, O(batch dim^2),
    or, where the projections are wider than the batch, the Gram matrices of both views' rows, O(batch^2 dim) and with
    memory for no more than them and the projections. Gradients reuse what the terms were made of.

    Parameters
    ----------
    z_a, z_b : Tensors of shape (batch, dim)
        Projections of two views of the same rows.
    weight : float
        Weight of the off-diagonal sum.
    target : float
        What off-diagonal correlations should be: 0 for Barlow Twins, -1 for its HSIC form.

    Returns
    -------
    invariance, redundancy : scalar Tensors, at least float32
    """
    return CorrelationTerms.apply(z_a, z_b, weight, target)
