"""Luck that depends only on the seed and on what it is for, so two runs of one seed share all of it."""

import hashlib
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import TypeVar

T = TypeVar("T")

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NORMAL = NormalDist()


class Luck:
    """Draws by name: the same (seed, parts) always gives the same draw, in whatever order the draws are made."""

    def __init__(self, seed: int) -> None:
        self._key = f"sandbox:{seed}".encode()

    def _digest(self, parts: tuple[object, ...], size: int) -> int:
        text = "|".join(map(str, parts)).encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=size, key=self._key).digest(), "big")

    def unit(self, *parts: object) -> float:
        """A number in [0, 1)."""
        return self._digest(parts, 6) / 281474976710656.0

    def chance(self, probability: float, *parts: object) -> bool:
        """True with the given probability."""
        return self.unit(*parts) < probability

    def between(self, low: float, high: float, *parts: object) -> float:
        """A number evenly spread from low to high."""
        return low + (high - low) * self.unit(*parts)

    def normal(self, *parts: object) -> float:
        """A standard normal number."""
        return _NORMAL.inv_cdf(min(max(self.unit(*parts), 1e-12), 1 - 1e-12))

    def exponential(self, mean: float, *parts: object) -> float:
        """A waiting time with the given mean, cut at eight times the mean."""
        return mean * _exponential(self.unit(*parts))

    def pick(self, weighted: Sequence[tuple[T, float]], *parts: object) -> T:
        """One of the values, with probability proportional to its weight."""
        point = self.unit(*parts) * sum(weight for _, weight in weighted)
        for value, weight in weighted:
            point -= weight
            if point < 0:
                return value
        return weighted[-1][0]

    def token(self, length: int, *parts: object) -> str:
        """An id's random-looking tail: letters and digits, the same for the same parts."""
        number = self._digest(parts, 24)
        letters = []
        for _ in range(length):
            number, place = divmod(number, 62)
            letters.append(_ALPHABET[place])
        return "".join(letters)


def _exponential(unit: float) -> float:
    return min(-math.log(1.0 - unit), 8.0)
