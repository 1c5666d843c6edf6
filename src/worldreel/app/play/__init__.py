"""An endless canvas in a window: of the terminal, of the browser, or straight into a file."""
