"""The pages.

They are rendered here, escaped always, with a small script that a page can do without.
"""

from __future__ import annotations

import json
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from asgi_sentry.tools.sink.entries import KINDS, is_plain
from asgi_sentry.tools.sink.examiner import OF_EACH
from asgi_sentry.tools.sink.guards import Forms, PageHeaders
from asgi_sentry.tools.sink.outages import CATEGORIES, Outage
from asgi_sentry.tools.sink.pages import compare, detail, formats, listing, overview, waterfall
from asgi_sentry.tools.sink.pages.forms import LARGEST_FORM, read_form, read_number, read_outage
from asgi_sentry.tools.sink.redactions import RULES

if TYPE_CHECKING:
    from starlette.requests import Request

    from asgi_sentry.tools.sink.state import State

_HERE = Path(__file__).parent
_PLACES = (
    ("/", "Overview"),
    ("/items", "Items"),
    ("/suspects", "Suspects"),
    ("/compare", "Compare"),
    ("/backoff", "Back-off"),
)
_SINGULAR = {
    "error": "error",
    "transaction": "transaction",
    "span": "span",
    "log": "log",
    "metric": "metric",
    "session": "session",
    "check_in": "check-in",
    "attachment": "attachment",
    "report": "client report",
    "other": "other",
}
_SHOWN_REFUSALS = 20
_BUDGETS = {"errors": "error", "transactions": "transaction"}


class Pages:
    """An ASGI app with every page.

    Args:
        state: of the sink that is shown.
    """

    def __init__(self, state: State) -> None:
        self._state, self._forms = state, Forms()
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
        )
        self._templates.filters.update(
            number=formats.number,
            size=formats.size,
            clock=formats.clock,
            stamp=formats.stamp,
            span_of=formats.span_of,
        )
        self._templates.globals.update(kind_words=_SINGULAR, kind_names=KINDS, rule_words=RULES)
        self._static = {
            file.name: (file.read_bytes(), mimetypes.guess_type(file.name)[0] or "text/plain")
            for file in sorted((_HERE / "static").iterdir())
        }
        self.app: Starlette = Starlette(
            routes=[
                Route("/", self._overview),
                Route("/items", self._items),
                Route("/items/{number:int}", self._detail),
                Route("/items/{number:int}/raw", self._raw),
                Route("/traces/{trace}", self._trace),
                Route("/suspects", self._suspects),
                Route("/compare", self._pairs),
                Route("/compare/{number:int}", self._pair),
                Route("/backoff", self._backoff),
                Route("/backoff", self._change, methods=["POST"]),
                Route("/version", self._version),
                Route("/static/{name}", self._file),
            ],
            middleware=[Middleware(PageHeaders)],
            exception_handlers={404: self._none, 405: self._none},
        )

    # -- the pages ---------------------------------------------------------------------------------

    def _overview(self, request: Request) -> Response:
        asked = request.query_params
        budgets = dict(self._state.budgets)
        for name, category in _BUDGETS.items():
            given = asked.get(name, "").replace(",", "").strip()
            if given.isascii() and given.isdigit() and len(given) < 13 and int(given):
                budgets[category] = int(given)
        state = self._state
        state.store.settle(1.0)
        sender = asked.get("sender")
        return self._page(
            request,
            "overview.html",
            "Overview",
            live=True,
            sender=sender,
            budgets=budgets,
            suspects=len(state.examiner.suspects),
            dsn=state.dsn_for(),
            dsn_named=state.dsn_for("shop"),
            url=state.url,
            refusals=state.refusals,
            **overview.overview(state.store, sender=sender, budgets=budgets),
        )

    def _items(self, request: Request) -> Response:
        store = self._state.store
        store.settle(1.0)
        filters = listing.Filters.of(request.query_params)
        before = read_number(request.query_params.get("before"))
        found = listing.find(store, filters, before=before)
        counts = store.ask(
            "SELECT name, sum(n) AS n FROM totals WHERE what = 'kind' AND (? = '' OR sender = ?) "
            "GROUP BY name",
            filters.sender,
            filters.sender,
        )
        senders = store.ask("SELECT DISTINCT sender FROM totals ORDER BY sender")
        return self._page(
            request,
            "items.html",
            KINDS.get(filters.kind, "Items"),
            here="/items",
            live=before is None,
            filters=filters,
            before=before,
            entries=found.entries,
            older=found.older,
            searched_all=found.searched_all,
            counts={row["name"]: row["n"] for row in counts},
            sender_names=[row["sender"] for row in senders],
            releases=listing.names(store, "release"),
            routes=listing.names(store, "route:kept", "route:errors"),
        )

    def _detail(self, request: Request) -> Response:
        store = self._state.store
        store.settle(1.0)
        it = detail.detail(store, request.path_params["number"])
        if it is None:
            return self._gone(request)
        entry = it.entry
        by_rule: dict[str, list[Any]] = {}
        for mark in it.marks:
            by_rule.setdefault(mark.rule, []).append(mark)
        facts = [
            ("Received", formats.stamp(entry["arrived"])),
            ("Happened", formats.stamp(entry["started"])),
            ("Took", formats.span_of(entry["duration"])),
            ("Route", entry["route"]),
            ("User", entry["user"]),
            ("Release", entry["release"]),
            ("Environment", entry["environment"]),
            ("Status" if entry["kind"] == "transaction" else "Level", entry["level"]),
            ("Sender", entry["sender"]),
            ("Project", it.envelope.get("project")),
            ("Type", entry["type"]),
            ("Size", formats.size(entry["bytes"])),
            ("Event id", entry["event_id"]),
        ]
        return self._page(
            request,
            "detail.html",
            detail.title_of(entry),
            here="/items",
            it=it,
            facts=facts,
            by_rule=sorted(by_rule.items(), key=lambda pair: -len(pair[1])),
            plain=is_plain(entry["sender"]),
            other=compare.counterpart(store, entry),
        )

    def _raw(self, request: Request) -> Response:
        found = detail.entry_of(self._state.store, request.path_params["number"])
        if found is None:
            return self._gone(request)
        entry, payload, raw = found
        if entry["position"] >= 0:
            raw = json.dumps(payload, indent=2, ensure_ascii=False).encode("utf-8", "replace")
        end = "json"
        if entry["kind"] == "attachment":
            end = "bin"
        # Never shown in place: it is a stranger's, of a type that nobody has checked.
        headers = {
            "Content-Disposition": f'attachment; filename="item-{entry["id"]}.{end}"',
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
        return Response(raw, media_type="application/octet-stream", headers=headers)

    def _trace(self, request: Request) -> Response:
        store, trace = self._state.store, request.path_params["trace"][:40]
        store.settle(1.0)
        rows = store.ask(
            "SELECT * FROM entries WHERE trace = ? AND trace <> '' ORDER BY id LIMIT 500", trace
        )
        if not rows:
            return self._gone(request)
        spans = []
        for row in rows:
            if row["kind"] == "transaction" and row["position"] < 0:
                found = detail.entry_of(store, row["id"])
                if found is not None and isinstance(found[1], dict):
                    spans += waterfall.spans_of(found[1], row["id"])
            else:
                spans += waterfall.of_entries([row])
        return self._page(
            request,
            "trace.html",
            "Trace",
            here="/items",
            live=True,
            trace=trace,
            entries=rows,
            fall=waterfall.arrange(spans),
        )

    def _suspects(self, request: Request) -> Response:
        examiner = self._state.examiner
        return self._page(
            request,
            "suspects.html",
            "Suspects",
            live=True,
            suspects=examiner.suspects[:200],
            alarms=examiner.alarms[:200],
            examined=examiner.examined,
            waiting=examiner.waiting,
            most=OF_EACH,
        )

    def _pairs(self, request: Request) -> Response:
        self._state.store.settle(1.0)
        return self._page(
            request,
            "compare.html",
            "Compare",
            live=True,
            pairs=compare.pairs(self._state.store),
            dsn_ours=self._state.dsn_for("shop"),
            dsn_plain=self._state.dsn_for("plain/shop"),
        )

    def _pair(self, request: Request) -> Response:
        store = self._state.store
        one = detail.entry_of(store, request.path_params["number"])
        if one is None:
            return self._gone(request)
        number = compare.counterpart(store, one[0])
        two = None
        if number is not None:
            two = detail.entry_of(store, number)
        first, second = (one, two) if is_plain(one[0]["sender"]) else (two, one)
        if first is None:
            return self._gone(request)
        return self._page(
            request,
            "pair.html",
            "Compare",
            here="/compare",
            plain=first[0],
            ours=None if second is None else second[0],
            compared=compare.compare(first[1], {} if second is None else second[1]),
        )

    # -- rate limits and failures ------------------------------------------------------------------

    def _backoff(self, request: Request, wrong: str = "", status: int = 200) -> Response:
        state = self._state
        return self._page(
            request,
            "backoff.html",
            "Back-off",
            status=status,
            here="/backoff",
            live=True,
            wrong=wrong,
            token=self._forms.token,
            categories=sorted(set(CATEGORIES.values())),
            answered=state.outages.answered,
            refused=state.refused[: -_SHOWN_REFUSALS - 1 : -1],
            failed=state.store.failed,
            url=state.url,
        )

    async def _change(self, request: Request) -> Response:
        """Begin or end an outage, by the form (with its token) or by a script's JSON.

        A page of a stranger's can send a form, but without the token, and JSON only after a
        preflight, which is not answered here.
        """
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > LARGEST_FORM:
                return PlainTextResponse("The form is too large.\n", 413)
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind == "application/json":
            return self._change_by_json(request, body)
        asked = read_form(body)
        if not self._forms.ours(request, asked.get("token")):
            said = "This form did not come from a page of this sink, or the sink was started anew."
            return self._backoff(request, said, 403)
        if asked.get("do") == "end":
            self._state.outages.end()
        else:
            try:
                self._state.outages.begin(read_outage(asked))
            except ValueError as error:
                return self._backoff(request, f"Not begun: {error}", 400)
        self._state.store.version += 1
        return RedirectResponse("/backoff", 303)

    def _change_by_json(self, request: Request, body: bytes) -> Response:
        if not self._forms.ours(request, self._forms.token):
            return PlainTextResponse("This request came from another page.\n", 403)
        try:
            asked = dict(json.loads(body))
            if asked["status"] is None:
                self._state.outages.end()
            else:
                self._state.outages.begin(
                    Outage(**{**asked, "categories": tuple(asked.get("categories") or ())})
                )
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            return PlainTextResponse(f"Not begun: {error}\n", 400)
        self._state.store.version += 1
        return PlainTextResponse("OK\n")

    # -- what pages need ---------------------------------------------------------------------------

    def _version(self, request: Request) -> Response:
        return PlainTextResponse(str(self._state.store.version))

    def _file(self, request: Request) -> Response:
        found = self._static.get(request.path_params["name"])
        if found is None:
            return self._gone(request)
        return Response(found[0], media_type=found[1], headers={"Cache-Control": "no-cache"})

    def _gone(self, request: Request) -> Response:
        said = "There is no such item, or it was the oldest and is no longer kept."
        return self._page(request, "none.html", "Not here", status=404, said=said)

    async def _none(self, request: Request, error: Exception) -> Response:
        return self._page(request, "none.html", "No such page", status=404, said="Nothing is here.")

    def _page(
        self,
        request: Request,
        template: str,
        title: str,
        *,
        status: int = 200,
        live: bool = False,
        here: str | None = None,
        **values: Any,
    ) -> Response:
        # The version is read before the page is made: what changes meanwhile is asked for again.
        page = self._templates.get_template(template).render(
            title=title,
            nonce=request.state.nonce,
            places=_PLACES,
            here=here or request.url.path,
            live=live,
            version=self._state.store.version,
            outage=self._state.outages.now,
            **values,
        )
        return HTMLResponse(page.encode("utf-8", "replace"), status)
