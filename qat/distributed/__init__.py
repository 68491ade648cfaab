"""Distributed training takes processes that `torchrun` started and returns one net that all of them hold."""
