"""This room takes a start net and a latency, and returns a net that keeps it, with the record of the search."""
