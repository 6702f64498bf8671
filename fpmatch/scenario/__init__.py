"""Scenarios: how a story is written down, and how it is played on a real engine.

`format` reads the files of ``data/synthetic/scenarios/``; `play` runs one and reports what each
party saw and what the log proves.
"""
