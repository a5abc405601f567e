"""Makes a whole run from its plan."""

from __future__ import annotations

from dataclasses import dataclass

from bench.fleet.customers import Customer, customers_of
from bench.fleet.faults import faults_of
from bench.fleet.least import Least
from bench.fleet.means import Nuisance, means_of, nuisances_of
from bench.fleet.messages import sent
from bench.fleet.plan import Plan
from bench.fleet.queues import Queues
from bench.fleet.telemetry import Telemetry
from bench.fleet.truth import Truth


@dataclass(frozen=True, slots=True)
class Made:
    """A run with its truth."""

    plan: Plan
    customers: list[Customer]
    nuisances: list[Nuisance]
    truth: Truth
    telemetry: Telemetry


def made(plan: Plan) -> Made:
    """Draw everything, one customer after the other."""
    customers, nuisances = customers_of(plan), nuisances_of(plan)
    means = [means_of(plan, customer, nuisances) for customer in customers]
    truth = faults_of(plan, customers, means)
    telemetry, least = Telemetry(plan, Queues(plan, truth)), Least()
    for customer, mean in zip(customers, means, strict=True):
        faults = truth.of_customer(customer.number, customer.integrations)
        what = sent(plan, customer, mean, nuisances, faults)
        least.add(customer, mean, what, faults)
        telemetry.add(customer, what.series)
    least.settle(truth.faults)
    telemetry.close()
    return Made(plan, customers, nuisances, truth, telemetry)
