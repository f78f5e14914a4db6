"""What a web process has done before the first request comes."""

import subprocess
import sys

PRINT = """
import gc, sys
import registry.wsgi
views = {"registry.web.views.catalog", "registry.api.v1.vectors"}
print(views <= set(sys.modules), gc.get_freeze_count() > 0)
"""


def test_process_has_loaded_its_views_and_left_them_to_no_collection() -> None:
    done = subprocess.run([sys.executable, "-c", PRINT], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["True", "True"], done.stderr
