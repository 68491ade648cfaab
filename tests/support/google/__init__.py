"""Holds what runs Google's and Arm's tools on model files of ours."""
