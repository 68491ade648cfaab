"""This room makes and reads keys of ECDSA over P-256, signs bytes with them, and says whose signature one is."""
