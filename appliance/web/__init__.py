"""Three thin doors, each its own application on its own listener."""
