"""The hotspot through RouterOS's binary API. Values are opaque words there: nothing to inject."""

from appliance.router import wire
from appliance.router.hotspot import Hotspot
from appliance.router.pool import Pool
from appliance.router.way import Values, Wanted


class RouterApi(Hotspot):
    """The hotspot by API."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(ApiWay(pool), "api")


class ApiWay:
    """Commands as sentences."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def rows(self, wanted: Wanted) -> list[wire.Row]:
        """Return what was asked for of a menu."""
        queries = [f"?{name}={value}" for name, value in wanted.where]
        if wanted.either:
            queries += ["?#|"] * (len(queries) - 1)
        listed = f"=.proplist={','.join(wanted.read)}"
        return await self._pool.command(f"/{wanted.menu}/print", listed, *queries)

    async def single(self, menu: str, names: tuple[str, ...]) -> wire.Row:
        """Return these properties of a menu that has but one row."""
        rows = await self._pool.command(f"/{menu}/print", f"=.proplist={','.join(names)}")
        return rows[0] if rows else {}

    async def tell(self, menu: str, verb: str, values: Values, row_id: str | None = None) -> None:
        """Carry out a command of a menu."""
        which = [] if row_id is None else [f"=.id={row_id}"]
        await self._pool.command(f"/{menu}/{verb}", *which, *wire.attributes(values))
