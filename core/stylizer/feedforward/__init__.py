"""Building blocks of feed-forward style transfer: statistics, transport, decoder, network, grain, finisher."""
