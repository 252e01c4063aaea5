"""An observer: say on stderr which stage is about to be made."""

import sys

import caif


@caif.hookimpl
def caif_stage_started(event: caif.StageEvent) -> None:
    if not event.reused:
        print(f"{event.run}: {event.stage} begins", file=sys.stderr)
