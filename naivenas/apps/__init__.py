"Panels, the demo, the command line"
