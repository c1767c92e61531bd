"""Files and models that run next to the main one: projectors, LoRA adapters, drafts."""
