"""One file per story. A flow holds ports and names no library."""
