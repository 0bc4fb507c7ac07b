"""A picture that is easy to optimise: made of frequencies and decorrelated colours, seen a little moved each time.

Every map here is linear or elementwise and comes with its adjoint, so that a gradient at the picture becomes one at
the parameters on the host, whatever the model runs on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Correlations of red, green and blue over photographs (of flowers, a cat, a cup, a person).
COLOURS = np.array([[1.0, 0.77, 0.59], [0.77, 1.0, 0.82], [0.59, 0.82, 1.0]])
CONTRAST = 1.0  # how strongly parameters of size 1 show


@dataclass(frozen=True, eq=False)
class Canvas:
    """Pictures (h, w, c) in 0..1 as sigmoid of a sum of waves, low frequencies first [olah2017].

    scale    (h, w // 2 + 1, 1): what a frequency's parameter counts, 1 / frequency; None: parameters are pixels
    mix      (c, c): from decorrelated to real colours
    """

    height: int
    width: int
    scale: np.ndarray | None
    mix: np.ndarray

    @classmethod
    def of(cls, height: int, width: int, channels: int, fourier: bool, decorrelate: bool) -> Canvas:
        scale = None
        if fourier:
            frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
            scale = (1 / np.maximum(frequency, 1 / max(height, width)))[..., None]
            scale /= np.sqrt(np.mean(np.square(scale)))
        mix = np.eye(channels)
        if decorrelate and channels == 3:
            values, vectors = np.linalg.eigh(COLOURS)
            mix = vectors * np.sqrt(values)
        return cls(height, width, scale, mix)

    def start(self, rng: np.random.Generator, spread: float = 0.02) -> np.ndarray:
        """Parameters of a picture that is grey but for a little noise; real, (h, w // 2 + 1, c, 2) or (h, w, c)."""
        shape = (self.height, self.width, len(self.mix))
        if self.scale is not None:
            shape = (*self.scale.shape[:2], len(self.mix), 2)
        return rng.normal(size=shape) * spread

    def matching(self, picture: np.ndarray) -> np.ndarray:
        """The parameters of a picture (h, w, c) in 0..1, but for what is nearly black or white."""
        clipped = np.clip(picture.astype(np.float64), 0.02, 0.98)
        waves = np.log(clipped / (1 - clipped)) @ np.linalg.inv(self.mix).T / CONTRAST
        if self.scale is None:
            return waves
        spectrum = np.fft.rfft2(waves, axes=(0, 1), norm="ortho") / self.scale
        return np.stack([spectrum.real, spectrum.imag], axis=-1)

    def picture(self, parameters: np.ndarray) -> np.ndarray:
        """(h, w, c) in 0..1."""
        waves = parameters
        if self.scale is not None:
            spectrum = (parameters[..., 0] + 1j * parameters[..., 1]) * self.scale
            waves = np.fft.irfft2(spectrum, s=(self.height, self.width), axes=(0, 1), norm="ortho")
        return 1 / (1 + np.exp(-CONTRAST * waves @ self.mix.T))

    def pull(self, picture: np.ndarray, gradient: np.ndarray, grey: float = 0.0) -> np.ndarray:
        """The gradient at the parameters of `picture`, from the gradient at the picture.

        `grey` weighs a pull back to grey that grows without end towards black and white: that of the mean of
        log(p / (1 - p)) squared.
        """
        slope = gradient * picture * (1 - picture)
        if grey:
            safe = np.clip(picture, 1e-9, 1 - 1e-9)
            slope = slope - grey * 2 * np.log(safe / (1 - safe)) / picture.size
        waves = CONTRAST * slope @ self.mix
        if self.scale is None:
            return waves
        spectrum = np.fft.rfft2(waves, axes=(0, 1), norm="ortho") * self.scale
        spectrum[:, 1 : (self.width + 1) // 2] *= 2  # each of these stands for two waves
        return np.stack([spectrum.real, spectrum.imag], axis=-1)


@dataclass(frozen=True, eq=False)
class View:
    """A picture shifted, turned and enlarged: each place is a bilinear mean of four others, borders repeated.

    sources  (4, h * w): where each place looks
    shares   (4, h * w): how much of it it takes
    """

    sources: np.ndarray
    shares: np.ndarray
    shape: tuple[int, int]

    @classmethod
    def of(cls, shape: tuple[int, int], shift: np.ndarray, degrees: float, zoom: float) -> View:
        height, width = shape
        centre = np.array([(height - 1) / 2, (width - 1) / 2])
        grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), axis=-1).reshape(-1, 2)
        angle = np.deg2rad(degrees)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
        looked = (grid - centre) @ turn.T + centre + shift
        rows, columns = np.clip(looked[:, 0], 0, height - 1), np.clip(looked[:, 1], 0, width - 1)
        top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
        below, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
        down, across = rows - top, columns - left
        sources = [top * width + left, top * width + right, below * width + left, below * width + right]
        shares = [(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across]
        return cls(np.stack(sources), np.stack(shares), shape)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        flat = picture.reshape(-1, picture.shape[-1])
        seen = sum(share[:, None] * flat[source] for source, share in zip(self.sources, self.shares, strict=True))
        return np.asarray(seen).reshape(picture.shape)

    def pull(self, gradient: np.ndarray) -> np.ndarray:
        """The adjoint: from a gradient at the view to one at the picture."""
        flat = gradient.reshape(-1, gradient.shape[-1])
        places = self.sources.ravel()
        columns = [
            np.bincount(places, (self.shares * flat[:, channel]).ravel(), minlength=len(flat))
            for channel in range(flat.shape[1])
        ]
        return np.stack(columns, axis=-1).reshape(gradient.shape)


def roughness(picture: np.ndarray) -> tuple[float, np.ndarray]:
    """Total variation, the mean length of the step to the next pixel, and its gradient (h, w, c)."""
    down, across = np.zeros_like(picture), np.zeros_like(picture)
    down[:-1], across[:, :-1] = np.diff(picture, axis=0), np.diff(picture, axis=1)
    length = np.sqrt(np.square(down) + np.square(across) + 1e-6)
    gradient = -(down + across) / length
    gradient[1:] += (down / length)[:-1]
    gradient[:, 1:] += (across / length)[:, :-1]
    return float(length.mean()), gradient / picture.size


class Adam:
    """Steps uphill of about `rate` in every parameter, by the running mean of gradients over that of their size."""

    def __init__(self, rate: float) -> None:
        self.rate, self.count = rate, 0
        self.mean: np.ndarray | float = 0.0
        self.square: np.ndarray | float = 0.0

    def step(self, gradient: np.ndarray) -> np.ndarray:
        """What to add to the parameters."""
        self.count += 1
        self.mean = 0.9 * self.mean + 0.1 * gradient
        self.square = 0.999 * self.square + 0.001 * np.square(gradient)
        size = np.sqrt(self.square / (1 - 0.999**self.count))
        return self.rate * (self.mean / (1 - 0.9**self.count)) / (size + 1e-12)
