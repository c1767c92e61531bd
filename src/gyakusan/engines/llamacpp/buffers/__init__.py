"""Buffers whose size one formula gives.

weights, cpu_repack: the model's tensors; kv_cache: what is kept between tokens; kernel_memory: what kernels need besides
their results; server_memory: what llama-server keeps outside the model's own buffers.
"""
