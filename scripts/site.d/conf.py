"""Sphinx's settings for scripts/site."""

import os

project = "launchgate"
author = "The launchgate developers"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "launchgate"
html_theme_options = {"source_edit_link": None, "top_of_page_buttons": []}
html_copy_source = False
html_show_copyright = False
myst_heading_anchors = 4
myst_links_external_new_tab = False
# Code in a language that Pygments does not know, or that it can't read in full, is shown as text.
suppress_warnings = ["misc.highlighting_failure"]
html_context = {"repository": os.environ["SITE_REPOSITORY"]}
