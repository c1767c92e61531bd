"""Buffers whose size a formula gives: weights, KV cache, checkpoints, output, driver, repacked weights."""
