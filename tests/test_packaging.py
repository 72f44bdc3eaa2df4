"""The files that an installation has."""

from setuptools import Distribution
from source import ROOT


def test_the_type_information_is_installed(monkeypatch):
    monkeypatch.chdir(ROOT)
    distribution = Distribution()
    distribution.parse_config_files()
    distribution.include_package_data = False  # or setuptools would write its metadata into the repository
    build = distribution.get_command_obj("build_py")
    build.ensure_finalized()
    assert [name for package, *_, names in build.data_files for name in names if package == "trl_rltf"] == ["py.typed"]
