"""Tests of reo, in the shape of the package; `faults` is the server most of them talk to."""
