tag = "1"
