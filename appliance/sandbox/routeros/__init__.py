"""A pretend MikroTik: RouterOS 7.21's binary API and a captive hotspot, on real sockets."""
