"""From executed notebooks to pages: the executor, the job graph's inputs, the Sphinx extension."""
