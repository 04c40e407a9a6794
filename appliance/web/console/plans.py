"""Plans: what customers can buy, in the order in which they see it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from urllib.parse import quote

from aiohttp import web

from appliance.domain.errors import Invalid
from appliance.domain.plans import Plan
from appliance.flows.offer import Offer
from appliance.ports import Plans
from appliance.web.console import plan_form
from appliance.web.console.shell import came_to_nothing, done, form_of, found, page, record


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPages:
    """The list, and the form of one."""

    plans: Plans
    offer: Offer
    title: str = "Plans"
    path: str = "/plans"

    def routes(self) -> list[web.RouteDef]:
        """Return the pages."""
        new, one = f"{self.path}/new", f"{self.path}/{{id}}/edit"
        return [
            web.get(self.path, self._list),
            web.get(new, self._new),
            web.post(new, self._add),
            web.get(one, self._edit),
            web.post(one, self._change),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        found = await self.offer.all()
        return page(request, "plans.html", plans=[(plan, self._at(plan)) for plan in found])

    async def _new(self, request: web.Request) -> web.Response:
        return await self._form(request, None, plan_form.USUAL)

    async def _edit(self, request: web.Request) -> web.Response:
        plan = await found(request, self.plans)
        return await self._form(request, plan, plan_form.written(plan))

    async def _add(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        try:
            wanted = plan_form.plan_of(form)
            await self.offer.check(wanted)
            await record(request, "added a plan", wanted.name, price=wanted.price)
            await self.offer.add(wanted)
        except Invalid as error:
            return await self._form(request, None, form, error)
        raise done(self.path, "on-the-shelf")

    async def _change(self, request: web.Request) -> web.Response:
        plan, form = await found(request, self.plans), await form_of(request)
        try:
            wanted = plan_form.plan_of(form)
            version = _version(form)
            await self.offer.check(replace(wanted, id=plan.id))
            await record(
                request,
                "changed a plan",
                plan.id,
                changed=", ".join(_different(plan, wanted)),
                price=wanted.price,
                active=wanted.active,
            )
            await self.offer.change(plan.id, version, wanted)
        except Invalid as error:
            return await self._form(request, plan, form, error)
        raise done(self.path, "on-the-shelf")

    async def _form(
        self,
        request: web.Request,
        plan: Plan | None,
        values: Mapping[str, str],
        wrong: Invalid | None = None,
    ) -> web.Response:
        if wrong is not None:
            await came_to_nothing(request, wrong.code)
        shown = {name: values.get(name, "") for name in plan_form.USUAL}
        return page(
            request,
            "plan_form.html",
            status=200 if wrong is None else 400,
            plan=plan,
            action=f"{self.path}/new" if plan is None else self._at(plan),
            # A form that was refused is still about what its writer saw.
            version=values.get("version", "" if plan is None else plan.version),
            values=shown,
            times=plan_form.units(plan_form.TIMES, shown["timeUnit"]),
            amounts=plan_form.units(plan_form.DATA, shown["dataUnit"]),
            field=None if wrong is None else plan_form.place_of(wrong.field),
            problem=None if wrong is None else wrong.reason,
        )

    def _at(self, plan: Plan) -> str:
        return f"{self.path}/{quote(plan.id, safe='')}/edit"


def _version(form: Mapping[str, str]) -> int:
    text = form.get("version", "")
    if not (text.isascii() and text.isdecimal() and len(text) < len("10000000000")):
        raise web.HTTPBadRequest
    return int(text)


def _different(old: Plan, new: Plan) -> list[str]:
    """Return the names of what somebody wrote otherwise."""
    kept = {"id", "version"}
    names = [field.name for field in fields(Plan) if field.name not in kept]
    return [name for name in names if getattr(old, name) != getattr(new, name)]
