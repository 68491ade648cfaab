"""Distributed training: processes that `torchrun` started come in, and one net that all of them hold goes out."""
