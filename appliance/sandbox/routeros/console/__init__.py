"""The command line of the device, as SSH, a script and the owner at the terminal meet it."""
