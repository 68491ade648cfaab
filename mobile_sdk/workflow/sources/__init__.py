"""Settings and weights come in; a float net to train or to quantize goes out, with its contract and pictures."""
