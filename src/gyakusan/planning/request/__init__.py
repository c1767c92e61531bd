"""The request: people, workload, hardware or budget, limits and preferences; read, converted and checked."""
