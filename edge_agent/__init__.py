"""On the device: read a machine, keep every reading until the cloud has it, send it."""
