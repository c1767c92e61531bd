"""ggml's graph, scheduler and allocator, simulated: compute buffers to the byte where no closed form holds.

graph: tensors and operations; scheduler: which device computes what; allocator: where tensors are placed;
transformer_layers, gated_delta_net, mla, gemma4: layers as llama.cpp builds them; model_graph: the whole model.
"""
