"""The made city: scenes, street photos and labelled points from one seeded plan."""
