"""Questions to a device far away: asked by the API, answered over MQTT, kept with who asked."""
