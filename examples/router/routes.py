"""What the router knows of its customers: keys, routes, and the rules that filter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from examples.router.fleet import CONSENT_FILTERED, Customer

Rule = Callable[[str, Mapping[str, Any]], bool]
"""(integration, event) → whether the event is kept from that integration."""


def consent(integration: str, event: Mapping[str, Any]) -> bool:
    """Events without the user's consent stay away from marketing's integrations."""
    return integration in CONSENT_FILTERED and not event.get("consent", True)


@dataclass(frozen=True, slots=True)
class Route:
    """One customer, as the router sees it."""

    tenant: str
    integrations: tuple[str, ...]
    rules: tuple[Rule, ...] = ()

    def find_filter(self, integration: str, event: Mapping[str, Any]) -> str | None:
        """The name of the first rule that keeps `event` from `integration`."""
        return next((rule.__name__ for rule in self.rules if rule(integration, event)), None)


class Routes:
    """Finds a customer's route by key or name."""

    def __init__(self, by_key: Mapping[str, Route]) -> None:
        self._by_key = dict(by_key)
        self._by_tenant = {route.tenant: route for route in by_key.values()}

    @classmethod
    def of(cls, fleet: Iterable[Customer]) -> Routes:
        """The routes of these customers."""
        return cls({one.key: _route(one) for one in fleet})

    def find(self, key: str) -> Route | None:
        """The route of the customer with that key."""
        return self._by_key.get(key)

    def find_filter(self, tenant: str, integration: str, event: Mapping[str, Any]) -> str | None:
        """Why this event must not go there, or None."""
        route = self._by_tenant.get(tenant)
        return route.find_filter(integration, event) if route else None


def _route(customer: Customer) -> Route:
    rules = (consent,) if customer.has_consent_rule else ()
    return Route(customer.name, customer.integrations, rules)
