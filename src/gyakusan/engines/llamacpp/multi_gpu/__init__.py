"""Several devices: the fit of layers, a compute buffer each, the ledger of all."""
