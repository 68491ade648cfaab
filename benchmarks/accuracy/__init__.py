"""Takes nets and pictures, and measures the accuracy that calibration, int8 and training leave."""
