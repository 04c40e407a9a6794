"""`appliance doctor`: what it sees, and what it says of it."""
