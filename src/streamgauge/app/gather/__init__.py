"""What gathers beside the HTTP routes: collectors, scrapes, listeners, OTLP's own port."""
