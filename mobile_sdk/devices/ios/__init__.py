"""This room drives the demo app on an iPhone that is attached to this Mac, through `xcrun devicectl`."""
