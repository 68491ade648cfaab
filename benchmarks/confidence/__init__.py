"""Takes rounds of run times, and measures how often bench's intervals and verdicts are right."""
