"""This room takes any `nn.Module` and returns a graph whose every node is a known step."""
