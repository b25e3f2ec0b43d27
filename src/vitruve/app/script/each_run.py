"""What Streamlit runs anew for each browser and each click; the app itself is imported once."""

from vitruve.app.main import main

if __name__ == "__main__":
    main()
