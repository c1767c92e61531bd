"""ggml's graph, scheduler and allocator, simulated: where a formula does not suffice."""
