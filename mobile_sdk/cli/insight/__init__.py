"""A net, a program, a bundle or a device comes in; what is in it, or what it would cost, is shown."""
