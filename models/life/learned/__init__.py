"""Remaining life learned from whole runs of past units: fitted once, predicted with ONNX."""
