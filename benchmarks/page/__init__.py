"""The page of a history: one file of HTML that needs no server and no network, and a Markdown summary."""
