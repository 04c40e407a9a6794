"""The router's own pages, for a router that can only fetch them: nothing in them is secret."""

from collections.abc import Mapping

from aiohttp import web


def router_pages(pages: Mapping[str, str]) -> web.RouteTableDef:
    """Return the routes that hand them out as they are, unfilled."""
    routes = web.RouteTableDef()

    @routes.get("/router/{name}")
    async def page(request: web.Request) -> web.Response:
        """Hand one out."""
        text = pages.get(request.match_info["name"])
        if text is None:
            raise web.HTTPNotFound
        return web.Response(text=text, content_type="text/plain")

    return routes
