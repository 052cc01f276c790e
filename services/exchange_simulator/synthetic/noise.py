"""Counter-based randomness: hashed numbers and smooth noise that can be read at any place without reading what is before."""

import hashlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def key_of(*parts: object) -> np.uint64:
    """A 64-bit key of any printable parts, the same on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return np.uint64(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little"))


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Splitmix64's finaliser over an array (Steele, Lea, Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def lattice(key: np.uint64, index: NDArray[np.int64]) -> Floats:
    """Independent numbers in [-1, 1), one per integer index."""
    hashed = mix(key + index.astype(np.uint64) * _GOLDEN)
    return (hashed >> np.uint64(11)).astype(np.float64) * (2.0 / (1 << 53)) - 1.0


def smooth_noise(key: np.uint64, minutes: Floats, period: float) -> Floats:
    """Value noise in [-1, 1]: hashed values every `period` minutes, joined by a cubic without corners."""
    place = minutes / period
    cell = np.floor(place)
    fraction = place - cell
    index = cell.astype(np.int64)
    left, right = lattice(key, index), lattice(key, index + 1)
    weight = fraction * fraction * (3.0 - 2.0 * fraction)
    return left + (right - left) * weight
