"""Benchmarks that a user can run: ``fpmatch bench`` and the files of ``benchmarks/``."""
