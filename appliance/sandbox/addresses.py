"""Where everything of the sandbox listens."""

from dataclasses import dataclass

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """One set of ports; an offset moves all of them, so that several sandboxes can run."""

    portal: int = 8080
    webhooks: int = 8081
    admin: int = 8082
    daraja: int = 8090
    router_web: int = 8091
    router_api: int = 8728
    router_ssh: int = 8722

    @classmethod
    def at(cls, offset: int) -> "Ports":
        """Return the usual ports, moved."""
        usual = cls()
        return cls(
            portal=usual.portal + offset,
            webhooks=usual.webhooks + offset,
            admin=usual.admin + offset,
            daraja=usual.daraja + offset,
            router_web=usual.router_web + offset,
            router_api=usual.router_api + offset,
            router_ssh=usual.router_ssh + offset,
        )
