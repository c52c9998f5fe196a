"""All of Langganan on one machine: embedded Postgres and Kafka, the four services, a mail sink, the demo."""
