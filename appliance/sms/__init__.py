"""Messages to phones: what they say, and the providers that carry them."""
