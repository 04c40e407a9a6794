"""The way in for Safaricom: what keeps it open, the other side's files, and whether it leads here."""
