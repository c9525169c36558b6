"""Record → Event: what each value is, what a record needs, and what the records of a run add up to.

A module for each kind of value, `checker` over one record, `validation` over whole files. What
is wrong is data: an `Issue`, never an exception.
"""
