"""The script of the app, apart from ``pages``: what lies in a folder of that name beside it, Streamlit runs, too."""
