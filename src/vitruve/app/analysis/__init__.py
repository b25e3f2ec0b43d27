"""What the pages of analysis show, computed: tables and marks, without anything of the browser."""
