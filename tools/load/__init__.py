"""`make load`: staged load tests with real clients on a real `stylizer-server`, checked against its guarantees."""
