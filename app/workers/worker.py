"""One worker, as its supervisor starts it: `python -m app.workers.worker NUMBER COUNT FOLDER LINK`.

`LINK` is the descriptor of its end of the link.
"""

import sys
from pathlib import Path

from app import logs
from app.event_loop import run
from app.serving import serve_or_say_why
from app.settings import Settings, SettingsError
from app.workers.link import Link
from app.workers.place import Place


def main() -> int:
    """Serve until the supervisor says otherwise, or is gone; returns the exit status."""
    number, count, folder, descriptor = sys.argv[1:]
    place = Place(int(number), int(count), Path(folder), Link(int(descriptor)))
    try:
        settings = place.own_settings(Settings.from_env())
        logs.configure(
            settings.log_level, settings.secrets, form=settings.log_format, worker=place.number
        )
        return run(serve_or_say_why(settings, place))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
