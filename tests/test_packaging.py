"""The files that an installation has."""

from setuptools import Distribution
from source import ROOT


def installed_files(monkeypatch, wanted):
    """Installed files of a package, without its modules."""
    monkeypatch.chdir(ROOT)
    distribution = Distribution()
    distribution.parse_config_files()
    distribution.include_package_data = False  # or setuptools would write its metadata into the repository
    build = distribution.get_command_obj("build_py")
    build.ensure_finalized()
    return [name for package, *_, names in build.data_files for name in names if package == wanted]


def test_the_type_information_is_installed(monkeypatch):
    assert installed_files(monkeypatch, "trl_rltf") == ["py.typed"]


def test_the_parts_of_a_report_are_installed(monkeypatch):
    parts = {path.name for path in (ROOT / "trl_rltf/report").iterdir() if path.is_file() and path.suffix != ".py"}
    assert set(installed_files(monkeypatch, "trl_rltf.report")) == parts == {"page.css", "page.html.jinja", "page.js"}
