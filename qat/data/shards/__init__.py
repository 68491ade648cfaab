"""This room writes pictures as tar files that training reads from end to end, and reads them again."""
