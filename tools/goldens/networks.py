"""The three network families of purescope as plain PyTorch modules; state-dict keys as in the public checkpoints."""
import math

import torch
from torch import nn
from torch.nn import functional as F


# ---- DDPM U-Net (Ho et al. 2020) --------------------------------------------------------------------------------

def time_embedding(t, channels, dtype):
    """[sin(t f_0..), cos(t f_0..)], f_i = exp(-i ln(10000) / (channels/2 - 1)); made in the working precision."""
    half = channels // 2
    f = torch.exp(torch.arange(half, dtype=dtype) * (-math.log(10000) / (half - 1)))
    angle = t.to(dtype)[:, None] * f[None, :]
    return torch.cat([torch.sin(angle), torch.cos(angle)], dim=1)


def norm(channels, groups):
    return nn.GroupNorm(groups, channels, eps=1e-6)


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, embedding, groups):
        super().__init__()
        self.norm1 = norm(inputs, groups)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.temb_proj = nn.Linear(embedding, outputs)
        self.norm2 = norm(outputs, groups)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.nin_shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x, temb):
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.temb_proj(F.silu(temb))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x) + h


class Attention(nn.Module):
    """One head over all channels; positions row-major."""

    def __init__(self, channels, groups):
        super().__init__()
        self.norm = norm(channels, groups)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        n, c, height, width = x.shape
        h = self.norm(x)
        q, k, v = (f(h).reshape(n, c, height * width) for f in (self.q, self.k, self.v))
        p = torch.softmax(torch.bmm(q.transpose(1, 2), k) * c ** -0.5, dim=2)      # p[i, j]: query i, key j
        o = torch.bmm(v, p.transpose(1, 2)).reshape(n, c, height, width)
        return x + self.proj_out(o)


class Downsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))        # one column on the right, one row at the bottom


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class DdpmUnet(nn.Module):
    """eps(x_t, t); x [n,3,size,size] in [-1,1] before noise, t [n] integer indices."""

    def __init__(self, ch=128, mult=(1, 2, 2, 2), blocks=2, attn=(16,), groups=32, size=32):
        super().__init__()
        self.ch, self.levels, self.blocks = ch, len(mult), blocks
        embedding = 4 * ch
        self.temb = nn.Module()
        self.temb.dense = nn.ModuleList([nn.Linear(ch, embedding), nn.Linear(embedding, embedding)])
        self.conv_in = nn.Conv2d(3, ch, 3, padding=1)
        skips, width = [ch], ch
        self.down = nn.ModuleList()
        for level in range(self.levels):
            stage = self._stage(level < self.levels - 1 and "downsample", ch * mult[level])
            for _ in range(blocks):
                stage.block.append(ResidualBlock(width, ch * mult[level], embedding, groups))
                width = ch * mult[level]
                if size >> level in attn:
                    stage.attn.append(Attention(width, groups))
                skips.append(width)
            if level < self.levels - 1:
                skips.append(width)
            self.down.append(stage)
        self.mid = nn.Module()
        self.mid.block_1 = ResidualBlock(width, width, embedding, groups)
        self.mid.attn_1 = Attention(width, groups)
        self.mid.block_2 = ResidualBlock(width, width, embedding, groups)
        up = []
        for level in reversed(range(self.levels)):
            stage = self._stage(level > 0 and "upsample", ch * mult[level])
            for _ in range(blocks + 1):
                stage.block.append(ResidualBlock(width + skips.pop(), ch * mult[level], embedding, groups))
                width = ch * mult[level]
                if size >> level in attn:
                    stage.attn.append(Attention(width, groups))
            up.append(stage)
        self.up = nn.ModuleList(reversed(up))           # numbered by resolution, executed last to first
        self.norm_out = norm(width, groups)
        self.conv_out = nn.Conv2d(width, 3, 3, padding=1)

    @staticmethod
    def _stage(resample, channels):
        stage = nn.Module()
        stage.block, stage.attn = nn.ModuleList(), nn.ModuleList()
        if resample == "downsample":
            stage.downsample = Downsample(channels)
        if resample == "upsample":
            stage.upsample = Upsample(channels)
        return stage

    @staticmethod
    def _block(stage, b, h, temb):
        h = stage.block[b](h, temb)
        return stage.attn[b](h) if len(stage.attn) else h

    def forward(self, x, t):
        temb = self.temb.dense[0](time_embedding(t, self.ch, x.dtype))
        temb = self.temb.dense[1](F.silu(temb))
        skips = [self.conv_in(x)]
        for stage in self.down:
            for b in range(self.blocks):
                skips.append(self._block(stage, b, skips[-1], temb))
            if hasattr(stage, "downsample"):
                skips.append(stage.downsample(skips[-1]))
        h = self.mid.block_2(self.mid.attn_1(self.mid.block_1(skips[-1], temb)), temb)
        for stage in reversed(self.up):
            for b in range(self.blocks + 1):
                h = self._block(stage, b, torch.cat([h, skips.pop()], dim=1), temb)
            if hasattr(stage, "upsample"):
                h = stage.upsample(h)
        return self.conv_out(F.silu(self.norm_out(h)))


# ---- WideResNet (Zagoruyko, Komodakis 2016), as in RobustBench's CIFAR-10 "Standard" ----------------------------

class WideBlock(nn.Module):
    """Pre-activation; where the width changes, the shortcut reads the activated input."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        if inputs != outputs:
            self.convShortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, x):
        o = F.relu(self.bn1(x))
        h = self.conv2(F.relu(self.bn2(self.conv1(o))))
        return (self.convShortcut(o) if hasattr(self, "convShortcut") else x) + h


class WideResnet(nn.Module):
    """Logits of x [n,3,h,w] in [0,1]; no input normalisation; any size divisible by 4."""

    def __init__(self, depth=28, widen=10, classes=10):
        super().__init__()
        per_group, width = (depth - 4) // 6, 16
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        for group, base in enumerate((16, 32, 64), start=1):
            stage = nn.Module()
            stage.layer = nn.ModuleList()
            for i in range(per_group):
                stage.layer.append(WideBlock(width, base * widen, 2 if group > 1 and i == 0 else 1))
                width = base * widen
            setattr(self, f"block{group}", stage)
        self.bn1 = nn.BatchNorm2d(width)
        self.fc = nn.Linear(width, classes)

    def forward(self, x):
        h = self.conv1(x)
        for stage in (self.block1, self.block2, self.block3):
            for block in stage.layer:
                h = block(h)
        return self.fc(F.relu(self.bn1(h)).mean(dim=(2, 3)))


# ---- CIFAR ResNet (He et al. 2016, section 4.2) -----------------------------------------------------------------

class CifarBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.extra = stride, outputs - inputs

    def forward(self, x):
        o = F.relu(self.bn1(self.conv1(x)))
        o = self.bn2(self.conv2(o))
        if self.extra:                                  # option A: subsample, zero channels half before, half after
            side = self.extra // 2
            x = F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, side, side))
        return F.relu(o + x)


class CifarResnet(nn.Module):
    """Logits of x [n,3,h,w] in [0,1]; normalises inside with the ImageNet mean and deviation (float32 constants)."""

    def __init__(self, depth=20, classes=10):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        width = 16
        for level, channels in enumerate((16, 32, 64), start=1):
            stage = nn.ModuleList()
            for i in range((depth - 2) // 6):
                stage.append(CifarBlock(width, channels, 2 if level > 1 and i == 0 else 1))
                width = channels
            setattr(self, f"layer{level}", stage)
        self.linear = nn.Linear(width, classes)

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1((x - self.mean) / self.std)))
        for stage in (self.layer1, self.layer2, self.layer3):
            for block in stage:
                h = block(h)
        return self.linear(h.mean(dim=(2, 3)))
