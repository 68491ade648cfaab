"""Shards: pictures come in, and tar files go out that training reads from end to end."""
