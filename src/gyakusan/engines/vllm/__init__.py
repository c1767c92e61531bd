"""vLLM: what one request reserves, how large the pool is, and how many requests fit.

Rules read in the source of vLLM 0.32.0 and checked against its own KV-cache functions; each function names file and
function. settings: what changes memory, with the server's defaults; config: a Hugging Face config.json as vLLM reads it;
pages: what one block of each kind of layer takes; blocks: how layers share blocks, what a request reserves;
weights: bytes by rank; profile: what is measured at start, as a calibrated range; pool: what is left for blocks;
support: why vLLM would not run this; ledger: all of it on a machine; launch: the command line; log: what it prints.
"""
