"""pix2pix in PyTorch's plain standard form, for benchmarks/benchmark.py to compare with.

The networks are pix2pix_tf's own, without the innermost normalisation, which PyTorch refuses at
batch size 1; the step is the usual one: one update of the discriminator with the translated image
detached, then one of the generator through the frozen discriminator.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional


def block(convolution: Any, *, norm: bool) -> nn.Sequential:
    """A convolution, and batch normalisation where the architecture has it."""
    channels = convolution.out_channels
    return nn.Sequential(convolution, *([nn.BatchNorm2d(channels)] if norm else []))


class UNet(nn.Module):
    """The generator: 8 levels with skip connections.

    Args:
        ngf: Filters of the first level.
    """

    def __init__(self, ngf: int = 64, depth: int = 8) -> None:
        super().__init__()
        filters = [ngf * min(2**level, 8) for level in range(depth)]
        widths, outputs = [3, *filters], [3, *filters]
        self.down = nn.ModuleList(
            block(nn.Conv2d(widths[i], widths[i + 1], 4, 2, 1), norm=0 < i < depth - 1)
            for i in range(depth)
        )
        self.up = nn.ModuleList(
            block(
                nn.ConvTranspose2d(filters[i] * (1 if i == depth - 1 else 2), outputs[i], 4, 2, 1),
                norm=i > 0,
            )
            for i in reversed(range(depth))
        )
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps [n, 3, h, w] to the like."""
        skips = []
        for i, level in enumerate(self.down):
            x = level(x if i == 0 else functional.leaky_relu(x, 0.2))
            skips.append(x)
        for i, level in enumerate(self.up):
            x = skips.pop() if i == 0 else torch.cat([x, skips.pop()], 1)
            x = level(functional.relu(x))
            if i < 3:
                x = self.dropout(x)
        return torch.tanh(x)


def patchgan(ndf: int = 64) -> nn.Sequential:
    """The 70x70 PatchGAN: pairs [n, 6, h, w] to logits [n, 1, h / 8 - 2, w / 8 - 2]."""
    widths, modules = [6, ndf, 2 * ndf, 4 * ndf, 8 * ndf], []
    for i, stride in enumerate([2, 2, 2, 1]):
        convolution = nn.Conv2d(widths[i], widths[i + 1], 4, stride, 1)
        modules += [block(convolution, norm=i > 0), nn.LeakyReLU(0.2)]
    return nn.Sequential(*modules, nn.Conv2d(8 * ndf, 1, 4, 1, 1))


def initialise(module: nn.Module) -> None:
    """Draws convolution kernels from N(0, 0.02)."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)


def parameters(*networks: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for network in networks for p in network.parameters())


class Pix2Pix:
    """Both networks with their optimizers.

    Args:
        ngf: Filters of the generator's first level.
        ndf: Filters of the discriminator's first layer.
        bfloat16: Compute under torch.autocast.
    """

    def __init__(self, *, ngf: int = 64, ndf: int = 64, bfloat16: bool = False) -> None:
        self.generator, self.discriminator = UNet(ngf), patchgan(ndf)
        self.generator.apply(initialise)
        self.discriminator.apply(initialise)
        self.gen_adam, self.disc_adam = (
            torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for network in (self.generator, self.discriminator)
        )
        self.criterion = nn.BCEWithLogitsLoss()
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=bfloat16)

    def count_params(self) -> int:
        """Number of trainable parameters of both networks."""
        return parameters(self.generator, self.discriminator)

    def discriminator_loss(
        self, inputs: torch.Tensor, images: torch.Tensor, *, real: bool
    ) -> torch.Tensor:
        """Loss of the discriminator's logits against `real`."""
        logits = self.discriminator(torch.cat([inputs, images], 1))
        return self.criterion(logits, torch.full_like(logits, float(real)))

    def train_step(self, inputs: torch.Tensor, targets: torch.Tensor) -> tuple[float, float, float]:
        """Updates both networks; returns the three losses as floats."""
        with self.autocast:
            outputs = self.generator(inputs)
            fake = self.discriminator_loss(inputs, outputs.detach(), real=False)
            disc_loss = fake + self.discriminator_loss(inputs, targets, real=True)
        self.disc_adam.zero_grad()
        disc_loss.backward()
        self.disc_adam.step()
        self.discriminator.requires_grad_(False)
        with self.autocast:
            gan = self.discriminator_loss(inputs, outputs, real=True)
            l1 = functional.l1_loss(outputs, targets)
        self.gen_adam.zero_grad()
        (gan + 100 * l1).backward()
        self.gen_adam.step()
        self.discriminator.requires_grad_(True)
        return disc_loss.item(), gan.item(), l1.item()

    def translate(self, inputs: torch.Tensor) -> torch.Tensor:
        """Translates [n, 3, h, w] without gradients, each image by its own statistics."""
        with torch.inference_mode(), self.autocast:
            return self.generator(inputs)
