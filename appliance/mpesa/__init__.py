"""The M-Pesa module: usable by any program that brings its own `Paybills`.

`MpesaService` speaks to Daraja; nothing here knows vouchers, routers or pages.
"""

from appliance.mpesa.service import MpesaService

__all__ = ["MpesaService"]
