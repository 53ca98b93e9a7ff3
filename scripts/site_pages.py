"""Hooks of mkdocs: pages from outside of docs/, pages of the API, links into the repository.

The API pages list the public names of both packages, so they follow the code. Links are written
for readers of the repository; here they lead to the page of the site, or to the file's address.
"""

from __future__ import annotations

import importlib
import posixpath
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
# Files outside of docs/ that are pages of the site.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "docker/README.md": "docker.md",
}
_LINK = re.compile(r"(\]\()([^)\s:#]+)(#[^)\s]*)?(\))")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Takes the addresses from pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    config.repo_url, config.repo_name = project["urls"]["Source"], project["name"]
    config.site_url = project["urls"]["Documentation"]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are not in docs/."""
    pages = {site: (ROOT / path).read_text(encoding="utf-8") for path, site in PAGES.items()}
    pages |= {f"api/{name}.md": _package_page(name) for name in ("pix2pix_tf", "cyclegan_tf")}
    pages["api/callbacks.md"] = _module_page("pix2pix_tf.training.callbacks")
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrites links to files of the repository."""
    site = page.file.src_uri
    source = next((path for path, name in PAGES.items() if name == site), f"docs/{site}")

    def rewrite(match: re.Match[str]) -> str:
        start, link, anchor, end = match.groups(default="")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        target = PAGES.get(path, path.removeprefix("docs/"))
        if target in files.src_uris and not target.endswith(".ipynb"):
            link = posixpath.relpath(target, posixpath.dirname(site) or ".")
        elif (ROOT / path).exists():
            link = f"{config.repo_url}/blob/main/{path}"
        return f"{start}{link}{anchor}{end}"

    return _LINK.sub(rewrite, markdown)


def _package_page(name: str) -> str:
    """The public names of a package, each from the module that defines it."""
    package = importlib.import_module(name)
    lines = [f"# {name}", "", (package.__doc__ or "").strip(), ""]
    for public in package.__all__:
        value = getattr(package, public)
        if callable(value) and value.__module__.startswith(name):
            lines.append(f"::: {value.__module__}.{public}")
            if public.endswith("Config"):  # the fields are on the page of the options
                lines.append(
                    "    options: {members: false}\n\nFields: [every option](../options.md).\n"
                )
    return "\n".join(lines) + "\n"


def _module_page(name: str) -> str:
    options = "    options: {show_root_heading: false, heading_level: 1}"
    return f"# {name.rpartition('.')[2]}\n\n::: {name}\n{options}\n"
