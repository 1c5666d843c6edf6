"""From a request to frames: what is asked, what it costs, and the road from noise to video."""
