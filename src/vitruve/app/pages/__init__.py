"""The pages of the web app, one a module.

A page says where it stands (``SECTION``, a key of :data:`vitruve.app.main.SECTIONS`; ``ORDER`` within it), what it is
called (``TITLE``, ``ICON``), whether it needs a project (``NEEDS_PROJECT``), and has a function ``show(place)``.
"""
