"""The supervisor: a process that starts a gateway, keeps watch over it, and ends it whole.

`python -m serve_app.cli.supervisor` with an order in JSON on standard input, and the lock of the
instance as an inherited file descriptor. It writes what it does into the status file.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import msgspec

from serve_app.cli.failure import Failure
from serve_app.cli.life.gateway_life import GatewayLife
from serve_app.cli.life.instance import Instance
from serve_app.cli.life.order import Order
from serve_app.cli.life.orders import Orders, StopOrdered
from serve_app.cli.life.processes import become_subreaper
from serve_app.cli.life.report import Report
from serve_app.config.load import load

_log = logging.getLogger("serve_app.supervisor")


def main() -> int:
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    instance = Instance(Path(order.folder))
    logging.basicConfig(
        filename=instance.log,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    orders = Orders()
    become_subreaper()
    deployment = load(
        Path(order.config),
        tuple(map(Path, order.overlays)),
        environ=os.environ,
        port=order.port,
        device=order.device,
    )
    report = Report(instance.status, deployment.address)
    life = GatewayLife(instance, order, deployment, report, orders)
    return _live(life, report, instance)


def _live(life: GatewayLife, report: Report, instance: Instance) -> int:
    failure: Failure | None = None
    try:
        life.start()
        life.watch()
    except StopOrdered:
        _log.info("stop ordered")
    except Failure as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - the last place: whatever it is, nothing may be left
        _log.exception("unexpected")
        failure = Failure(f"Unexpected {type(error).__name__}: {error}; see {instance.log}")
    if failure is not None:
        report.failed(failure)
    try:
        life.end()
    except Exception:  # noqa: BLE001 - the status must be final in any case
        _log.exception("while ending")
        failure = failure or Failure(f"Could not end everything; see {instance.log}")
        report.failed(failure)
    report.phase("failed" if failure else "stopped")
    return failure.exit_code if failure else 0


if __name__ == "__main__":
    sys.exit(main())
