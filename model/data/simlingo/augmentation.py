"""SimLingo's two augmentations: the shifted camera, whose labels move with it, and changes of the picture."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

LARGEST_TRANSLATION = 1.5  # m to either side, drawn once per route
LARGEST_ROTATION = 20.0  # degrees to either side, drawn once per route


def shift_points(points: np.ndarray, translation: float, rotation: float) -> np.ndarray:
    """Points (..., 2) of the ego frame in the frame of a car that stands ``translation`` m further right and is turned
    ``rotation`` degrees to the right: R(rotation)^T (p - (0, translation)).
    """
    angle = math.radians(rotation)
    cosine, sine = math.cos(angle), math.sin(angle)
    x, y = points[..., 0], points[..., 1] - translation
    return np.stack([cosine * x + sine * y, -sine * x + cosine * y], axis=-1)


def unshift_points(points: np.ndarray, translation: float, rotation: float) -> np.ndarray:
    """Inverse of ``shift_points``."""
    angle = math.radians(rotation)
    cosine, sine = math.cos(angle), math.sin(angle)
    x, y = points[..., 0], points[..., 1]
    return np.stack([cosine * x - sine * y, sine * x + cosine * y + translation], axis=-1)


def disturb(image: np.ndarray, rng: np.random.Generator, probability: float = 0.5) -> np.ndarray:
    """A changed copy of a picture (H, W, 3) uint8: each operation with ``probability``, in random order."""
    operations: tuple[Callable, ...] = (_blur, _noise, _drop, _multiply, _contrast, _grey, _bend)
    for k in rng.permutation(len(operations)):
        if rng.random() < probability:
            image = operations[k](image, rng)
    return image


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _channels(rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    """One value for all channels or, half of the time, one each."""
    return rng.uniform(low, high, 3 if rng.random() < 0.5 else 1).astype(np.float32)


def _blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    sigma = rng.uniform(0.0, 1.0)
    return image if sigma < 0.05 else cv2.GaussianBlur(image, (0, 0), sigma)


def _noise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    strength = rng.uniform(0.0, 0.05 * 255.0)
    depth = 3 if rng.random() < 0.5 else 1
    return _bytes(image + strength * rng.standard_normal((*image.shape[:2], depth), dtype=np.float32))


def _drop(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    share = rng.uniform(0.01, 0.1)
    depth = 3 if rng.random() < 0.5 else 1
    return image * (rng.random((*image.shape[:2], depth), dtype=np.float32) >= share)


def _multiply(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _bytes(image * _channels(rng, 1 / 1.2, 1.2))


def _contrast(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _bytes((image - np.float32(127.0)) * _channels(rng, 1 / 1.2, 1.2) + np.float32(127.0))


def _grey(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    share = rng.uniform(0.0, 0.5)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    return _bytes((1.0 - share) * image + share * grey)


def _bend(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Elastic: each pixel is fetched from a smoothed random place up to about a pixel away."""
    height, width = image.shape[:2]
    amplitude = rng.uniform(0.5, 1.5)
    field = [
        cv2.GaussianBlur(rng.uniform(-1.0, 1.0, (height, width)).astype(np.float32), (0, 0), 0.25) for _ in range(2)
    ]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(
        image, columns + np.float32(amplitude) * field[0], rows + np.float32(amplitude) * field[1],
        cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101,
    )  # fmt: skip
