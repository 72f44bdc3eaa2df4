"""Loading data does not load the libraries of models."""

import pytest


@pytest.mark.parametrize("names", ["load_apps, load_mbpp", "make_mini_apps", "data; trl_rltf.data.load_benchmark"])
def test_loaders_import_neither_torch_nor_transformers(names, run_script):
    code = f"import sys; import trl_rltf; from trl_rltf import {names}; assert not {{'torch', 'transformers', 'trl'}} & set(sys.modules)"
    run_script(code)
