"""Model parts shared by all families: slots inserted, weights loaded, frozen features reused."""
