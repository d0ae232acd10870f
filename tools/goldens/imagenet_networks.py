"""The networks of ImageNet and score-SDE purification as plain PyTorch modules; state-dict keys as in the public checkpoints."""
import math

import torch
from torch import nn
from torch.nn import functional as F


def sinusoid(t, channels, dtype, divisor, sin_first):
    """Angles t * exp(-i ln(10000) / divisor), i < channels / 2; sines and cosines side by side."""
    f = torch.exp(torch.arange(channels // 2, dtype=dtype) * (-math.log(10000) / divisor))
    angle = t.to(dtype)[:, None] * f[None, :]
    halves = [torch.sin(angle), torch.cos(angle)]
    return torch.cat(halves if sin_first else halves[::-1], dim=1)


def resample(x, how):
    if how == "up":
        return F.interpolate(x, scale_factor=2.0, mode="nearest")
    return F.avg_pool2d(x, 2) if how == "down" else x


# ---- ADM U-Net (Dhariwal, Nichol 2021) --------------------------------------------------------------------------

def adm_norm(channels, groups):
    return nn.GroupNorm(groups, channels, eps=1e-5)


class AdmResidual(nn.Module):
    def __init__(self, inputs, outputs, embedding, settings, how=None):
        super().__init__()
        groups = settings["groups"]
        self.scale_shift, self.how = settings["scale_shift"], how
        self.in_layers = nn.Sequential(adm_norm(inputs, groups), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * outputs if self.scale_shift else outputs))
        self.out_layers = nn.Sequential(adm_norm(outputs, groups), nn.SiLU(), nn.Identity(),
                                        nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x, emb):
        h = self.in_layers[2](resample(self.in_layers[1](self.in_layers[0](x)), self.how))
        x = resample(x, self.how)
        e = self.emb_layers(emb)[:, :, None, None]
        if self.scale_shift:
            scale, shift = e.chunk(2, dim=1)
            h = self.out_layers[0](h) * (1 + scale) + shift
        else:
            h = self.out_layers[0](h + e)
        return self.skip_connection(x) + self.out_layers[3](self.out_layers[1](h))


class AdmAttention(nn.Module):
    """Heads of `head` channels; in the output of qkv the q, k, v of one head lie together."""

    def __init__(self, channels, head, groups):
        super().__init__()
        self.head = head
        self.norm = adm_norm(channels, groups)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x):
        n, c, height, width = x.shape
        z = self.qkv(self.norm(x).reshape(n, c, -1)).reshape(n * (c // self.head), 3 * self.head, -1)
        q, k, v = z.split(self.head, dim=1)
        scale = self.head ** -0.25
        p = torch.softmax(torch.einsum("bct,bcs->bts", q * scale, k * scale), dim=-1)
        o = torch.einsum("bts,bcs->bct", p, v).reshape(n, c, -1)
        return x + self.proj_out(o).reshape(n, c, height, width)


class AdmDown(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x):
        return self.op(x)


class AdmUp(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(resample(x, "up"))


class AdmStage(nn.ModuleList):
    def forward(self, x, emb):
        for layer in self:
            x = layer(x, emb) if isinstance(layer, AdmResidual) else layer(x)
        return x


class AdmUnet(nn.Module):
    """[eps, v](x_t, t) of x [n,3,size,size]; attn lists down-sampling factors."""

    def __init__(self, ch, mult, blocks, attn, head, groups=32, learn_sigma=True, scale_shift=True, updown=True):
        super().__init__()
        self.ch, emb = ch, 4 * ch
        settings = dict(groups=groups, scale_shift=scale_shift)
        self.time_embed = nn.Sequential(nn.Linear(ch, emb), nn.SiLU(), nn.Linear(emb, emb))
        width, factor = ch * mult[0], 1
        self.input_blocks = nn.ModuleList([AdmStage([nn.Conv2d(3, width, 3, padding=1)])])
        skips = [width]

        def block(inputs, outputs):
            layers = [AdmResidual(inputs, outputs, emb, settings)]
            return layers + ([AdmAttention(outputs, head, groups)] if factor in attn else [])

        def change(channels, how):
            if updown:
                return AdmResidual(channels, channels, emb, settings, how)
            return AdmDown(channels) if how == "down" else AdmUp(channels)
        for level, m in enumerate(mult):
            for _ in range(blocks):
                self.input_blocks.append(AdmStage(block(width, m * ch)))
                width = m * ch
                skips.append(width)
            if level < len(mult) - 1:
                self.input_blocks.append(AdmStage([change(width, "down")]))
                skips.append(width)
                factor *= 2
        self.middle_block = AdmStage([AdmResidual(width, width, emb, settings), AdmAttention(width, head, groups),
                                      AdmResidual(width, width, emb, settings)])
        self.output_blocks = nn.ModuleList()
        for level, m in reversed(list(enumerate(mult))):
            for i in range(blocks + 1):
                layers = block(width + skips.pop(), m * ch)
                width = m * ch
                if level > 0 and i == blocks:
                    layers.append(change(width, "up"))
                    factor //= 2
                self.output_blocks.append(AdmStage(layers))
        self.out = nn.Sequential(adm_norm(width, groups), nn.SiLU(),
                                 nn.Conv2d(width, 6 if learn_sigma else 3, 3, padding=1))

    def forward(self, x, t):
        emb = self.time_embed(sinusoid(t, self.ch, x.dtype, self.ch // 2, sin_first=False))
        h, skips = x, []
        for stage in self.input_blocks:
            h = stage(h, emb)
            skips.append(h)
        h = self.middle_block(h, emb)
        for stage in self.output_blocks:
            h = stage(torch.cat([h, skips.pop()], dim=1), emb)
        return self.out(h)


# ---- DDPM++ of score-SDE (Song et al. 2021) ---------------------------------------------------------------------

def sde_norm(channels):
    return nn.GroupNorm(min(channels // 4, 32), channels, eps=1e-6)


class Nin(nn.Module):
    """y = x W + b over the channels; W [in, out]."""

    def __init__(self, channels):
        super().__init__()
        self.W = nn.Parameter(torch.zeros(channels, channels))
        self.b = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        return torch.einsum("nihw,io->nohw", x, self.W) + self.b[None, :, None, None]


class SdeResidual(nn.Module):
    def __init__(self, inputs, outputs, embedding, how=None):
        super().__init__()
        self.how = how
        self.GroupNorm_0 = sde_norm(inputs)
        self.Conv_0 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.Dense_0 = nn.Linear(embedding, outputs)
        self.GroupNorm_1 = sde_norm(outputs)
        self.Conv_1 = nn.Conv2d(outputs, outputs, 3, padding=1)
        if inputs != outputs or how:
            self.Conv_2 = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x, temb):
        h = self.Conv_0(resample(F.silu(self.GroupNorm_0(x)), self.how))
        x = resample(x, self.how)
        h = h + self.Dense_0(F.silu(temb))[:, :, None, None]
        h = self.Conv_1(F.silu(self.GroupNorm_1(h)))
        return ((self.Conv_2(x) if hasattr(self, "Conv_2") else x) + h) / math.sqrt(2.0)


class SdeAttention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.GroupNorm_0 = sde_norm(channels)
        self.NIN_0, self.NIN_1, self.NIN_2, self.NIN_3 = (Nin(channels) for _ in range(4))

    def forward(self, x):
        n, c, height, width = x.shape
        h = self.GroupNorm_0(x)
        q, k, v = (f(h).reshape(n, c, -1) for f in (self.NIN_0, self.NIN_1, self.NIN_2))
        p = torch.softmax(torch.einsum("nct,ncs->nts", q, k) * c ** -0.5, dim=-1)
        o = torch.einsum("nts,ncs->nct", p, v).reshape(n, c, height, width)
        return (x + self.NIN_3(o)) / math.sqrt(2.0)


class DdpmppUnet(nn.Module):
    """eps(x_t, t); every module stands in one list, in the order of execution."""

    def __init__(self, nf, mult, blocks, attn, size):
        super().__init__()
        self.nf, self.levels, self.blocks, self.attn, emb = nf, len(mult), blocks, attn, 4 * nf
        modules = [nn.Linear(nf, emb), nn.Linear(emb, emb), nn.Conv2d(3, nf, 3, padding=1)]
        skips, width = [nf], nf
        for level, m in enumerate(mult):
            for _ in range(blocks):
                modules.append(SdeResidual(width, m * nf, emb))
                width = m * nf
                if size >> level in attn:
                    modules.append(SdeAttention(width))
                skips.append(width)
            if level < len(mult) - 1:
                modules.append(SdeResidual(width, width, emb, "down"))
                skips.append(width)
        modules += [SdeResidual(width, width, emb), SdeAttention(width), SdeResidual(width, width, emb)]
        for level, m in reversed(list(enumerate(mult))):
            for _ in range(blocks + 1):
                modules.append(SdeResidual(width + skips.pop(), m * nf, emb))
                width = m * nf
            if size >> level in attn:
                modules.append(SdeAttention(width))
            if level > 0:
                modules.append(SdeResidual(width, width, emb, "up"))
        self.all_modules = nn.ModuleList(modules + [sde_norm(width), nn.Conv2d(width, 3, 3, padding=1)])

    def forward(self, x, t):
        modules = iter(self.all_modules)
        temb = next(modules)(sinusoid(t, self.nf, x.dtype, self.nf // 2 - 1, sin_first=True))
        temb = next(modules)(F.silu(temb))
        skips = [next(modules)(x)]
        for level in range(self.levels):
            for _ in range(self.blocks):
                h = next(modules)(skips[-1], temb)
                skips.append(next(modules)(h) if h.shape[2] in self.attn else h)
            if level < self.levels - 1:
                skips.append(next(modules)(skips[-1], temb))
        h = next(modules)(skips[-1], temb)
        h = next(modules)(h)
        h = next(modules)(h, temb)
        for level in reversed(range(self.levels)):
            for _ in range(self.blocks + 1):
                h = next(modules)(torch.cat([h, skips.pop()], dim=1), temb)
            if h.shape[2] in self.attn:
                h = next(modules)(h)
            if level > 0:
                h = next(modules)(h, temb)
        h = F.silu(next(modules)(h))
        return next(modules)(h)


# ---- Bottleneck ResNet (He et al. 2016), as in torchvision, normalised inside -----------------------------------

class Bottleneck(nn.Module):
    def __init__(self, inputs, planes, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, planes, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = nn.Conv2d(planes, 4 * planes, 1, bias=False), nn.BatchNorm2d(4 * planes)
        if stride != 1 or inputs != 4 * planes:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, 4 * planes, 1, stride=stride, bias=False),
                                            nn.BatchNorm2d(4 * planes))

    def forward(self, x):
        o = F.relu(self.bn1(self.conv1(x)))
        o = F.relu(self.bn2(self.conv2(o)))
        return F.relu(self.bn3(self.conv3(o)) + (self.downsample(x) if hasattr(self, "downsample") else x))


class Resnet(nn.Module):
    def __init__(self, stem, planes, layers, classes):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)
        self.conv1 = nn.Conv2d(3, stem, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        width, self.stages = stem, len(planes)
        for level, (p, count) in enumerate(zip(planes, layers), start=1):
            stage = nn.Sequential()
            for i in range(count):
                stage.append(Bottleneck(width, p, 2 if level > 1 and i == 0 else 1))
                width = 4 * p
            setattr(self, f"layer{level}", stage)
        self.fc = nn.Linear(width, classes)

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1((x - self.mean) / self.std)))
        h = F.max_pool2d(h, 3, stride=2, padding=1)
        for level in range(1, self.stages + 1):
            h = getattr(self, f"layer{level}")(h)
        return self.fc(h.mean(dim=(2, 3)))
