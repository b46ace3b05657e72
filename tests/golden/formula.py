"""Inputs from a formula, so that golden files hold results only. formula.ts computes the same numbers."""
import torch


def values(shape, seed, low=-1.0, high=1.0):
    """Exact in float64 on both sides: a hash of the index, as a multiple of 2^-32."""
    count = 1
    for length in shape:
        count *= length
    h = (torch.arange(count) * 2654435761 + seed * 40503 + 12345) % 4294967296
    h = ((h ^ (h >> 16)) * 73244475) % 4294967296
    h = h ^ (h >> 16)
    return (low + (high - low) * (h.double() / 4294967296)).reshape(shape)
