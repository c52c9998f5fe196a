"""python -m loyalty serve | work | all | migrate | audit | parked | rewind"""

from __future__ import annotations

from kit.main import main
from loyalty.app import DATABASES, build
from loyalty.programs.review import absent_plugins
from loyalty.settings import Settings

if __name__ == "__main__":
    main("loyalty", Settings, build, DATABASES, absent_plugins)
