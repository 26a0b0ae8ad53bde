"""A trained Shift-GCN for evaluation on a CPU: the same numbers with about a fifth of the memory traffic.

Bodies are computed one at a time, so that no result depends on the rest of a batch. Between units a body is laid out
(V, C, L): its joints in the order that the next spatial linear wants, its T frames in rows of length L. Steps that the
plain network does one by one are folded together:

- The mask, the first batch norm and the identity of the spatial part are folded into one matrix for each joint.
- The batch norm before the temporal linear is folded into its matrix and its bias. Near the ends of the clip, where the
  shift reads zeros, the bias differs.
- The whole frames of a temporal shift are folded into the copy that puts the joints in order. The rows lie in one
  buffer with zeros around each, and a shifted row is a window of this buffer. The fraction of a frame is an
  interpolation between neighbours in the window.
- The batch norm after the second shift is folded into the two weights of this interpolation.

Letters: V = 25 joints, C and D channels in and out of a unit, T frames.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.backbone.protocol import COORDINATES, JOINTS
from models.shift_gcn.batch_norm import BodyBatchNorm
from models.shift_gcn.layers import PointwiseConv, ShiftUnit, SpatialShiftConv, shift_rows
from models.shift_gcn.temporal_shift import TemporalShift, temporal_shift

if TYPE_CHECKING:
    from models.shift_gcn.network import ShiftGCN

ROW_MULTIPLE = 8  # matrix products are faster on rows of such lengths


class Buffers:
    """The working memory of one thread. It is used again for every body, because new memory is slow to touch."""

    def __init__(self) -> None:
        self._buffers: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def get(self, name: str, *shape: int) -> Tensor:
        """The buffer of this name and shape: zeros when it is new, else what was last written to it."""
        key = (name, shape)
        if key not in self._buffers:
            self._buffers[key] = torch.zeros(shape)
        return self._buffers[key]


class FoldedShiftGCN:
    """Computes the features of bodies, for clips of `frames` frames. It holds copies of the network's weights."""

    def __init__(self, network: "ShiftGCN", frames: int) -> None:
        with torch.no_grad():
            scale, shift = network.data_bn.scale_and_shift()
            self._scale, self._shift = (part.cpu().view(-1, JOINTS, COORDINATES, 1) for part in (scale, shift))
            self._units = []
            for unit in network.units:
                self._units.append(_FoldedUnit(unit, frames))
                frames = self._units[-1].frames_out

    def body_features(self, body: Tensor, slot: int, buffers: Buffers) -> Tensor:
        """One body (3, T, 25) -> (256,). `slot` is 0 for the first body of a clip and 1 for the second."""
        x = torch.addcmul(self._shift[slot], body.permute(2, 0, 1), self._scale[slot])  # (V, C, T)
        first = buffers.get("input", JOINTS, COORDINATES, round_up(x.shape[2]))
        first[..., : x.shape[2]] = x.flatten(0, 1)[shift_rows(COORDINATES)].view_as(x)
        x = first
        for unit in self._units:
            x = unit(x, buffers)  # (V, C, L)
        return x[..., : self._units[-1].frames_out].mean((0, 2))  # (256,)


def round_up(frames: int) -> int:
    """The length of the rows that hold `frames` frames."""
    return -(-frames // ROW_MULTIPLE) * ROW_MULTIPLE


class _FoldedShift:
    """A temporal shift: for each row a window of a padded buffer, and the weights of two neighbours in it."""

    def __init__(self, shift: TemporalShift, frames: int, scale: Tensor | None = None) -> None:
        offset = shift.offset_frames.cpu().clamp(-frames - 1, frames + 1)  # beyond the clip all is zero
        self.whole = offset.floor()
        share = offset - self.whole
        scale = torch.ones_like(share) if scale is None else scale
        self.earlier, self.later = (1 - share) * scale, share * scale  # (C,)
        self.pad = max(0, -int(self.whole.min()), int(self.whole.max()) + 2)
        self.stride, self.frames = shift.stride, frames
        self.row = frames + 2 * self.pad
        self.window = frames + 1

    def starts(self, rows: Tensor, channels: Tensor) -> Tensor:
        """Where the windows of `rows`, whose channels are `channels`, begin in the padded buffer."""
        return rows * self.row + self.pad + self.whole[channels].long()

    def windows(self, padded: Tensor, starts: Tensor, buffers: Buffers) -> tuple[Tensor, Tensor]:
        """The earlier and the later neighbour of each output frame, (rows, T // stride) each."""
        every = padded.as_strided((padded.numel() - self.window + 1, self.window), (1, 1))
        chosen = torch.index_select(every, 0, starts, out=buffers.get("windows", len(starts), self.window))
        if self.stride == 1:
            return chosen[:, :-1], chosen[:, 1:]
        stop = self.frames // self.stride * self.stride
        return chosen[:, : stop : self.stride], chosen[:, 1 : stop + 1 : self.stride]


class _FoldedUnit:
    def __init__(self, unit: ShiftUnit, frames: int) -> None:
        spatial, temporal = unit.gcn1, unit.tcn1
        self.channels = channels = spatial.Linear_weight.shape[1]
        self.frames, self.frames_out = frames, frames // unit.stride
        self.has_residual = unit.has_residual
        self.spatial_weight, self.spatial_bias = _folded_spatial(spatial)
        self.down, self.residual = None, None  # weights (D, C)
        if spatial.down is not None:
            self.down, bias = _folded_pointwise(spatial.down.convolution, spatial.down.norm)
            self.spatial_bias = self.spatial_bias + bias
        scale, shift = (part.cpu() for part in temporal.bn.scale_and_shift())
        weight = temporal.temporal_linear.weight[:, :, 0, 0].cpu()
        self.temporal_weight = (weight * scale).expand(JOINTS, -1, -1)
        inside = temporal_shift(shift.view(1, -1, 1, 1).expand(1, -1, 1, frames), temporal.shift_in.ypos.cpu())
        self.temporal_bias = weight @ inside[0, :, 0] + temporal.temporal_linear.bias.cpu()[:, None]  # (D, T)
        scale, shift = (part.cpu() for part in temporal.bn2.scale_and_shift())
        self.shift_in = _FoldedShift(temporal.shift_in, frames)
        self.shift_out = _FoldedShift(temporal.shift_out, frames, scale)
        if unit.residual is not None:
            self.residual, bias = _folded_pointwise(unit.residual.conv, unit.residual.bn)
            shift = shift + bias[:, 0]
        self.rows_moved = moved = shift_rows(channels)  # of rows (v, d)
        self.rows_back = back = moved.argsort()
        self.rows_back_in = shift_rows(spatial.Linear_weight.shape[0]).argsort()
        channel = torch.arange(channels).repeat(JOINTS)  # of each row
        self.starts_in = self.shift_in.starts(back if self.down is None else torch.arange(len(back)), channel)
        self.starts_out = self.shift_out.starts(moved, channel)
        self.share_in = self.shift_in.later[channel, None]
        self.earlier, self.later, self.bias = (
            part[channel, None] for part in (self.shift_out.earlier, self.shift_out.later, shift)
        )

    def __call__(self, x: Tensor, buffers: Buffers) -> Tensor:
        """(V, C, L) -> (V, D, L'), both in the order of the inward spatial shift; `x` is overwritten."""
        channels, frames = self.channels, self.frames
        plain = None
        if self.down is not None:
            plain = _reordered(x, self.rows_back_in, buffers.get("plain", *x.shape))
        y = self._spatial(x, plain, buffers)
        padded = buffers.get("in", JOINTS, channels, self.shift_in.row)
        pad = self.shift_in.pad
        torch.add(y[..., :frames], self.spatial_bias, out=padded[..., pad : pad + frames])
        earlier, later = self.shift_in.windows(padded.relu_(), self.starts_in, buffers)
        s = buffers.get("shifted", JOINTS, channels, x.shape[2])
        torch.lerp(earlier, later, self.share_in, out=s.flatten(0, 1)[:, :frames])
        h = torch.bmm(self.temporal_weight, s, out=buffers.get("linear", *s.shape))  # (V, D, L)
        padded = buffers.get("out", JOINTS, channels, self.shift_out.row)
        pad = self.shift_out.pad
        torch.add(h[..., :frames], self.temporal_bias, out=padded[..., pad : pad + frames])
        earlier, later = self.shift_out.windows(padded.relu_(), self.starts_out, buffers)  # (V D, T')
        return self._join(x, plain, earlier, later, buffers)

    def _spatial(self, x: Tensor, plain: Tensor | None, buffers: Buffers) -> Tensor:
        y = torch.bmm(self.spatial_weight, x, out=buffers.get("spatial", JOINTS, self.channels, x.shape[2]))
        if plain is None or self.down is None:
            return y
        y = _reordered(y, self.rows_back, buffers.get("reordered", *y.shape))
        return y.baddbmm_(self.down.expand(JOINTS, -1, -1), plain)

    def _join(self, x: Tensor, plain: Tensor | None, earlier: Tensor, later: Tensor, buffers: Buffers) -> Tensor:
        if plain is not None:
            x = buffers.get("joined", JOINTS, self.channels, round_up(self.frames_out))
            if self.residual is None:
                x.zero_()
            else:
                kept = buffers.get("kept", JOINTS, plain.shape[1], x.shape[2])
                stop, stride = self.frames_out * self.shift_out.stride, self.shift_out.stride
                kept[..., : self.frames_out] = plain[..., :stop:stride]
                residual = buffers.get("residual", *x.shape)
                torch.bmm(self.residual.expand(JOINTS, -1, -1), kept, out=residual)  # (V, D, L')
                _reordered(residual, self.rows_moved, x)
        out = x.flatten(0, 1)[:, : self.frames_out]  # a view (V D, T')
        out.addcmul_(earlier, self.earlier).addcmul_(later, self.later).add_(self.bias).relu_()
        return x


def _reordered(x: Tensor, rows: Tensor, out: Tensor) -> Tensor:
    """The rows (v, c) of (V, C, L) in another order, written into `out` (V, C, L)."""
    torch.index_select(x.flatten(0, 1), 0, rows, out=out.flatten(0, 1))
    return out


def _folded_spatial(spatial: SpatialShiftConv) -> tuple[Tensor, Tensor]:
    """Weight (V, D, C) and bias (V, D, 1) of the linear with the batch norm, and the identity if that is the residual.

    The rows of the weight are in the order before the outward shift. The bias is in the order in which it is added:
    before the shift as well, or after it where the residual is a convolution.
    """
    scale, shift = spatial.bn.scale_and_shift()
    channels = len(shift) // JOINTS
    bias = shift + scale * spatial.Linear_bias.view(-1).repeat(JOINTS)
    moved = shift_rows(channels).to(scale.device)
    weight = spatial.joint_weights().mul_(scale[moved].view(JOINTS, channels, 1))
    if spatial.down is None:
        weight.diagonal(dim1=1, dim2=2).add_(1)
        bias = bias[moved]
    return weight.cpu().contiguous(), bias.view(JOINTS, channels, 1).cpu()


def _folded_pointwise(convolution: PointwiseConv, norm: BodyBatchNorm) -> tuple[Tensor, Tensor]:
    """Weight (D, C) and bias (D, 1) of a pointwise convolution that a batch norm follows."""
    scale, shift = norm.scale_and_shift()
    weight = convolution.weight[:, :, 0, 0] * scale[:, None]
    return weight.cpu(), (convolution.bias * scale + shift)[:, None].cpu()
