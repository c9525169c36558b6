"""BLAKE2b as `hashlib` has it, without the rest of `hashlib`: that loads OpenSSL, in 2 to 3 ms."""

try:
    from _blake2 import blake2b
except ImportError:  # another Python than CPython
    from hashlib import blake2b

__all__ = ["blake2b"]
