"""The script of the app, alone in its folder: what lies in ``pages`` beside a script, Streamlit takes for scripts, too."""
