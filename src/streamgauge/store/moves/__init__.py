"""A consistent copy of the store while it runs, and a store made from one."""
