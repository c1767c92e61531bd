"""llama.cpp: llama-server's memory on CPUs and GPUs, its command line, and its log.

Rules were read in the source of build b11434 and checked against its own allocator; each function names file and function.
settings: what changes memory; buffers, placement, ggml_simulation, compute_buffer, multi_gpu, extras: bytes, from simple to
complex; ledger: all of them on a machine; dry_run: llama.cpp's own figures; launch: the server's flags; log: its log.
"""
