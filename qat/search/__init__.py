"""Hardware-aware search finds nets of MobileNetV3's family for a latency, by NetAdapt and by MnasNet's reward."""
