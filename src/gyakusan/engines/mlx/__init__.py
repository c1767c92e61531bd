"""MLX-LM: `mlx_lm.server` on Apple silicon. Its authors do not recommend it for production.

settings: its flags and what weights become; cache, weights, scratch: bytes; families: which layers it holds otherwise
than llama.cpp; ledger: all of them on a Mac; engine: the face.
"""
