"""`make load`: real clients against a real `stylizer-server`, in stages, and what became of its promises."""
