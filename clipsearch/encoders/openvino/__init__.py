"""Compile models for OpenVINO, cache and run them."""
