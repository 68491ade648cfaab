"""This room takes a net, a program, a bundle or a device, and shows its content or its predicted cost."""
