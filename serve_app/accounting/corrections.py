"""What leases that are over change of the scopes they were charged to."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw, Struct

from serve_app.core.limits import Lease, Scope


class Correction(Struct):
    """What leases that are over change of one scope."""

    scope: Scope
    input: int = 0
    output: int = 0
    cost_micro_usd: int = 0
    holds: list[str] = []

    def add(self, lease: Lease) -> None:
        if not lease.once:  # else Redis adds what of its bill is new
            self.input += lease.input
            self.output += lease.output
            self.cost_micro_usd += lease.cost_micro_usd
        if lease.reserved:
            self.input -= lease.need.input
            self.output -= lease.need.output
            if self.scope.allowance.has_holds:
                self.holds.append(lease.hold)

    def change(self) -> list[object]:
        """As the script takes it."""
        return [Raw(self.scope.packed), self.input, self.output, self.cost_micro_usd, self.holds]


def corrections(leases: Sequence[Lease]) -> list[Correction]:
    by_scope: dict[str, Correction] = {}
    for lease in leases:
        for scope in lease.scopes:
            by_scope.setdefault(scope.state, Correction(scope)).add(lease)
    return list(by_scope.values())
