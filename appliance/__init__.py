"""Sells internet time on a MikroTik hotspot through M-Pesa, and never takes money for nothing.

One payment, in seven stops:

1. `web.portal`: a customer picks a plan and types a phone number.
2. `flows.checkout`: payment, voucher and initiation are stored; only then does the push leave.
3. `mpesa`: the phone rings. Silence is `OutcomeUnknown`: it is asked about, never pushed again.
4. `web.webhooks` → `flows.intake`: Safaricom calls back on this payment's own secret address; the
   raw body is stored before it is answered with `0 Accepted`. While a shared database is away it is
   stored on the box, and follows in its order; it takes no other way after that.
5. `flows.inbox` → `flows.settlement`: evidence, whatever its path, completes the payment, which
   owes its outcome to its voucher; the voucher becomes paid and owes access, each in the write
   that causes it. Money that names no push of ours first goes through `flows.matching`.
6. `worker` → `flows.access`: the router is told as often as it takes, and read back.
7. `router`: the hotspot user exists and the device is logged in; the waiting page goes on to a page
   of its own, the phone notices, and the voucher's time starts. Its end is owed in that same write,
   and `flows.access` pays that debt too.

What a document owes is in the document (`domain.debts`). A process that dies leaves a lease that
runs out, and whoever comes next pays the debt; so every step is safe to repeat.

`app` is the only place that builds things. `domain` is pure. Flows name no library: they reach
database, gateway and router through `ports`.
"""
