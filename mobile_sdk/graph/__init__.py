"""The integer graph: operators as data come in, and what a phone computes of them goes out, element for element."""
