"""A pretend Africa's Talking, whose messages arrive on the pretend phone."""
