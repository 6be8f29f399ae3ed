"""What is said of our networks beside the papers: a module is one question, one command, one table in the results."""
