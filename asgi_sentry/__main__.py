"""`python -m asgi_sentry` is the command `asgi-sentry`."""

import sys

from asgi_sentry.tools.cli import main

sys.exit(main())
