"""Where things are kept: one small port, two adapters held to one contract."""
