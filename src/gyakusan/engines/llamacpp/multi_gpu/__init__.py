"""Several devices: where layers go (fit), a compute buffer for each device, and the ledger of all."""
