"""Capture: any `nn.Module` comes in, and a graph whose every node is a known step goes out."""
