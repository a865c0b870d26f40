"""The drill injects faults into a whole running system under load and checks every promise.

`run.py` runs it: load/ sends requests and records them, faults/ injects, checking/ judges.
"""
