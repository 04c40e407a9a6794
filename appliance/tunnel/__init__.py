"""The way in for Safaricom: what keeps it open, and whether it leads to this box."""
