"""Faults done to real processes and real files, and what was lost or wrong afterwards: python -m tests.faults"""
