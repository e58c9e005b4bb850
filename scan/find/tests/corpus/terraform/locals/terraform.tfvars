kafka = "3.8"
