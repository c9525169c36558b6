"""The library: `Client.send` for one event, `deliver` for many, with `Settings` made in Python.

A thin layer over `delivery`, as the command line is one: the same checks, ids, retries, pace,
ledger and roll-up. `reo_cli` itself offers its names.
"""
