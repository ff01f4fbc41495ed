"""What doctor looks at, one room for each kind of thing."""
