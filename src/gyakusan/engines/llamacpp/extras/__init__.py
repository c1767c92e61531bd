"""What is loaded besides the model: a projector, LoRA adapters, a draft model or prediction blocks."""
