"""Lists and watches that outlive what goes wrong: `stream` for any source, `metadata` for the objects of one kind."""
