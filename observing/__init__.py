"""What operators see of us: counters, logs, probes. Knows nothing of the rest."""
