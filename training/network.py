"""The network: a small U-Net of plain 3x3 convolutions.

Plain convolutions with folded batch normalisation are what ``cv2.dnn`` runs fast; layer
normalisation, attention and GELU are what makes larger minutiae networks slow there.
"""

from __future__ import annotations

import torch
from torch import nn

STRIDE = 4
"""Pixels of the image per cell of the output."""
CHANNELS = 9
"""Output maps: heat (logit), offset x, offset y (cells), cos, sin (direction), type (logit),
cos, sin (of twice the ridge orientation), finger (logit)."""
WIDTHS = (16, 40, 48, 64)
"""Channels at strides 2, 4, 8 and 16 of a network that begins from nothing."""


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Convolution 3x3, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two convolutions whose result is added to what went in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = block(width, width)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Same shape as the input."""
        return torch.relu(x + self.second(self.first(x)))


class MinutiaNet(nn.Module):
    """(B, 1, H, W) normalised image -> (B, 9, H/4, W/4); H and W multiples of 16."""

    def __init__(self, widths: tuple[int, int, int, int] = WIDTHS) -> None:
        super().__init__()
        a, b, c, d = widths
        self.stem = nn.Sequential(block(1, a, 2), block(a, a))
        self.down4 = nn.Sequential(block(a, b, 2), Residual(b))
        self.down8 = nn.Sequential(block(b, c, 2), Residual(c))
        self.down16 = nn.Sequential(block(c, d, 2), Residual(d))
        self.lift8 = nn.Conv2d(d, c, 1)
        self.up8 = Residual(c)
        self.lift4 = nn.Conv2d(c, b, 1)
        self.up4 = Residual(b)
        self.head = nn.Sequential(block(b, b), nn.Conv2d(b, CHANNELS, 1))
        nn.init.zeros_(self.head[1].bias)
        with torch.no_grad():
            self.head[1].bias[0] = -4.0  # minutiae are rare: start from a low prior

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """One pass; logits for heat, type and finger."""
        at4 = self.down4(self.stem(image))
        at8 = self.down8(at4)
        at16 = self.down16(at8)
        up = nn.functional.interpolate(self.lift8(at16), scale_factor=2.0, mode="nearest")
        at8 = self.up8(up + at8)
        up = nn.functional.interpolate(self.lift4(at8), scale_factor=2.0, mode="nearest")
        return self.head(self.up4(up + at4))
