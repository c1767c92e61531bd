"""The compute buffer of one device: closed forms for the largest step of llama.cpp's largest graph.

ggml places every tensor of the graph in one buffer per device before anything is computed. Its allocator is best fit: a
tensor goes into the smallest free block that holds it, else to the end of the buffer; a tensor whose last reader is done
becomes a free block, and free neighbours join. The buffer is as long as it ever gets:

    0                                                                                               size of the buffer
    |<------------------------------ base ------------------------------>|<----------------- peak ----------------->|
    +---------+----------+------------+----------+------------+----------+---------------+--------------+-----------+
    | inputs  | residual | free block | residual | free block | residual | wide tensor   | wide tensor  | ...       |
    | (masks, | vector   | (one resi- | vector   |            | vector   | (queries, up, | (scores,     |           |
    |  ids)   |          | dual vec-  |          |            |          |  gate)        |  copies)     |           |
    |         |          | tor wide)  |          |            |          |               |              |           |
    +---------+----------+------------+----------+------------+----------+---------------+--------------+-----------+

- inputs: tensors that the host fills for each batch: token numbers, positions, masks, cells to write (`inputs`).
- residual vector: one vector of the model's width for each token of the graph. A fixed number of them has a place in the
  base; those that nobody needs at a moment are free blocks, each one residual vector wide (`base`).
- base: inputs and residual vectors. It lives through the whole graph.
- peak: bytes of the tensors that are alive together and are too wide for a free block, so that they lie above the base
  (`peak_dense`, `peak_mla_sparse`, `peak_recurrent`, `peak_encoder`). Each step of the graph has its own.
- size = base + the largest peak (`one_device`).

Where the place of a free block changes from layer to layer, no closed form holds: `ggml_simulation` allocates the graph.
Source: llama.cpp b11434, ggml/src/ggml-alloc.c, src/llama-context.cpp (sched_reserve), src/llama-graph.cpp.
"""
