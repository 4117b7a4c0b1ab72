"""`python -m stack.run` with stand-ins for the engine and the billing core; Redis and PostgreSQL are real."""

import sys
from pathlib import Path

from stack.programs import Programs
from stack.run import main

stand_in = str(Path(__file__).with_name("stand_in.py"))
sys.exit(main(programs=Programs((sys.executable, stand_in, "core"), (sys.executable, stand_in, "engine"))))
