"""Names the files and folders that a run leaves; nothing is imported here."""

NET_FILE, PROGRAM, TWIN = "net.safetensors", "program.pt2", "float.pt2"
TRAINING, INT8_TRAINING = "train", "qat"
"""These folders hold the checkpoints of float and int8 training."""
TENSORBOARD = "tensorboard"
PARETO_PLOTS = ("pareto.svg", "pareto.png")
