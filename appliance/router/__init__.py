"""RouterOS: values and texts (wire), the binary API (api)."""
