"""Judges of plans: what each printed answer must hold, one module for each kind of promise. `benchmarks/plans.py` asks them."""
