"""
Turn the links of notebooks to other pages into links of the site, and warn of those that lead nowhere.

MkDocs does this for pages in Markdown alone.
"""

import logging
import posixpath
import re
from typing import Any


logger = logging.getLogger("mkdocs.hooks.notebook_links")  # a warning of MkDocs ends a strict build
LINK = re.compile(r'href="(?!https?:|#|/)([^"#]+\.(?:md|ipynb))(#[^"]*)?"')


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Change the links of a page that is a notebook."""
    if not page.file.src_uri.endswith(".ipynb"):
        return html

    def site_link(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.src_uri), match[1]))
        target = files.get_file_from_path(path)
        if target is None:
            logger.warning("'%s' has a link to '%s', which is not a page.", page.file.src_uri, match[1])
            return match[0]
        return f'href="{target.url_relative_to(page.file)}{match[2] or ""}"'

    return LINK.sub(site_link, html)
