from __future__ import annotations

import subprocess
import sys

import bigfast.predict


def test_importing_the_room_loads_neither_torch_nor_xgboost_nor_scipy() -> None:
    program = (
        "import sys, bigfast.predict; "
        "print([name for name in ('torch', 'xgboost', 'scipy', 'sklearn') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_fitting_analytic_cost_loads_no_torch() -> None:
    program = (
        "import sys, numpy as np; from bigfast.predict import fit; rng = np.random.default_rng(0); "
        "rows = rng.random((9, 1)); fit(rows, 1 + rows[:, 0], kind='analytic', rng=rng); print('torch' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_exported_names_are_sorted_and_exist() -> None:
    names = bigfast.predict.__all__

    assert names == sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert all(hasattr(bigfast.predict, name) for name in names)
