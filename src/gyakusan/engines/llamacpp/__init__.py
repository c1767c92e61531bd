"""llama.cpp: llama-server's memory on the CPU and on one GPU that holds every layer.

Rules read in the source of build b11434 and checked against its own allocator; each function names file and function.
settings: what changes memory; weights, cache, scratch, overhead: bytes; ledger: all of them on a machine;
launch: the server's flags; log: what it prints.
"""
