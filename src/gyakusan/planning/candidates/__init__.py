"""What may be combined: machines to own or buy, model variants, reasoning modes."""
