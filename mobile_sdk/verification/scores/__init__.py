"""This part runs a bundle on pictures and judges its scores: beside the reference, the float net and the truth."""
