"""Machines that fail on purpose: plants whose physics and true remaining life are known."""
