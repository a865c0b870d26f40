"""Observability: metrics, logs, probes. Imports no other package of ours."""
