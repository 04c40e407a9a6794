"""The pretend Safaricom: strict where the real one is, and as unkind as anybody has seen it."""
