"""A start net and a latency come in; a net that keeps it goes out, with the record of the way there."""
