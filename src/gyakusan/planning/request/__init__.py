"""What the user asks for: people, workload, hardware or budget, parsed and checked."""
