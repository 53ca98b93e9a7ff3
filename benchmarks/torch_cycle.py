"""CycleGAN in PyTorch's plain standard form, for benchmarks/benchmark.py to compare with.

The networks are those of cyclegan_tf at its defaults: a residual generator with instance
normalisation and 70x70 discriminators; the step is the usual one, each pass a call of its own.
"""

import random
from typing import Any

import torch
import torch_peer
from torch import nn


class Residual(nn.Module):
    """Two 3x3 convolutions and the way around them.

    Args:
        filters: Channels in and out.
    """

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *level(nn.Conv2d(filters, filters, 3, padding=1, padding_mode="reflect")),
            nn.Conv2d(filters, filters, 3, padding=1, padding_mode="reflect"),
            nn.InstanceNorm2d(filters),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps [n, c, h, w] to the like."""
        return x + self.body(x)


def level(convolution: Any) -> list[nn.Module]:
    """A convolution, its normalisation and ReLU."""
    return [convolution, nn.InstanceNorm2d(convolution.out_channels), nn.ReLU(True)]


def generator(ngf: int = 64, blocks: int = 9) -> nn.Sequential:
    """The residual generator: [n, 3, h, w] to the like."""

    def ends(inputs: int, outputs: int) -> nn.Conv2d:
        return nn.Conv2d(inputs, outputs, 7, padding=3, padding_mode="reflect")

    return nn.Sequential(
        *level(ends(3, ngf)),
        *level(nn.Conv2d(ngf, 2 * ngf, 3, 2, 1)),
        *level(nn.Conv2d(2 * ngf, 4 * ngf, 3, 2, 1)),
        *(Residual(4 * ngf) for _ in range(blocks)),
        *level(nn.ConvTranspose2d(4 * ngf, 2 * ngf, 3, 2, 1, output_padding=1)),
        *level(nn.ConvTranspose2d(2 * ngf, ngf, 3, 2, 1, output_padding=1)),
        ends(ngf, 3),
        nn.Tanh(),
    )


def patchgan(ndf: int = 64) -> nn.Sequential:
    """The 70x70 PatchGAN with instance normalisation, for single images."""
    widths, modules = [3, ndf, 2 * ndf, 4 * ndf, 8 * ndf], []
    for i, stride in enumerate([2, 2, 2, 1]):
        modules.append(nn.Conv2d(widths[i], widths[i + 1], 4, stride, 1))
        modules += [nn.InstanceNorm2d(widths[i + 1])] if i else []
        modules.append(nn.LeakyReLU(0.2, True))
    return nn.Sequential(*modules, nn.Conv2d(8 * ndf, 1, 4, 1, 1))


class Pool:
    """The last images that a generator made; half of what comes is exchanged for one of them."""

    def __init__(self, size: int = 50) -> None:
        self.size, self.images = size, []

    def query(self, image: torch.Tensor) -> torch.Tensor:
        """What the discriminator sees instead of `image` [1, c, h, w]."""
        if len(self.images) < self.size:
            self.images.append(image)
        elif random.random() < 0.5:
            place = random.randrange(self.size)
            image, self.images[place] = self.images[place], image
        return image


class CycleGAN:
    """Two generators and two discriminators with their optimizers.

    Args:
        ngf: Filters of the generators' first level.
        ndf: Filters of the discriminators' first layer.
        bfloat16: Compute under torch.autocast.
    """

    def __init__(self, *, ngf: int = 64, ndf: int = 64, bfloat16: bool = False) -> None:
        self.generators = nn.ModuleList([generator(ngf), generator(ngf)])
        self.discriminators = nn.ModuleList([patchgan(ndf), patchgan(ndf)])
        for networks in (self.generators, self.discriminators):
            networks.apply(torch_peer.initialise)
        self.gen_adam, self.disc_adam = (
            torch.optim.Adam(networks.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for networks in (self.generators, self.discriminators)
        )
        self.pools = Pool(), Pool()
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=bfloat16)

    def count_params(self) -> int:
        """Number of trainable parameters of the four networks."""
        return torch_peer.parameters(self.generators, self.discriminators)

    def discriminator_loss(self, side: int, images: torch.Tensor, *, real: bool) -> torch.Tensor:
        """Least squares of the logits of images of A (0) or B (1) against `real`."""
        return (self.discriminators[side](images) - float(real)).square().mean()

    def train_step(self, real_a: torch.Tensor, real_b: torch.Tensor) -> tuple[float, float]:
        """Updates the generators, then the discriminators; returns both losses as floats."""
        to_b, to_a = self.generators
        self.discriminators.requires_grad_(False)
        with self.autocast:
            fake_b, fake_a = to_b(real_a), to_a(real_b)
            pairs = [(to_a(fake_b), real_a, 10), (to_b(fake_a), real_b, 10)]
            pairs += [(to_a(real_a), real_a, 5), (to_b(real_b), real_b, 5)]
            gan = self.discriminator_loss(1, fake_b, real=True) + self.discriminator_loss(
                0, fake_a, real=True
            )
            loss = gan + sum(weight * (made - real).abs().mean() for made, real, weight in pairs)
        self.gen_adam.zero_grad()
        loss.backward()
        self.gen_adam.step()
        self.discriminators.requires_grad_(True)
        return loss.item(), self._judge((real_a, real_b), (fake_a, fake_b))

    def _judge(
        self, reals: tuple[torch.Tensor, torch.Tensor], fakes: tuple[torch.Tensor, torch.Tensor]
    ) -> float:
        self.disc_adam.zero_grad()
        total = 0.0
        for side, pool in enumerate(self.pools):
            with self.autocast:
                made = self.discriminator_loss(side, pool.query(fakes[side].detach()), real=False)
                loss = 0.5 * (self.discriminator_loss(side, reals[side], real=True) + made)
            loss.backward()
            total += loss.item()
        self.disc_adam.step()
        return total
