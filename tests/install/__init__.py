"""The installer on a fresh Debian; slow, and as root: `make install-test`."""
