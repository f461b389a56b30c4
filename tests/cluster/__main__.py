import sys

from tests.cluster.command import main

sys.exit(main())
