"""Pretend Safaricom, router and phone: real servers, strict, shipped with the product."""
