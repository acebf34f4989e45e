"""Write configs/observability: `python -m benchmarks.observability [--pictures]`.

That is the dashboards, and the alert rules for Prometheus, which come from configs/alerts.yaml.
With `--pictures` each dashboard is also drawn, from the answers of a real Prometheus to its own
queries, to docs/pictures.
"""

from __future__ import annotations

import argparse

from benchmarks.observability import files, rules


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pictures", action="store_true", help="draw the dashboards, too")
    asked = parser.parse_args()
    for path in (*files.write(), rules.write()):
        print(path)
    if asked.pictures:
        from benchmarks.observability.pictures import draw_all

        for path in draw_all():
            print(path)


if __name__ == "__main__":
    main()
