#!/usr/bin/env bash
# Makes the files that compose.yaml takes secrets from; those that are there stay as they are.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p secrets
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { [ -e "secrets/$1" ] || printf '%s' "$2" >"secrets/$1"; }

keep postgres_password "$(random)"
keep clickhouse_password "$(random)"
keep tokens "$(random)"
clickhouse=$(cat secrets/clickhouse_password)
keep store_url "clickhouse://streamgauge:$clickhouse@clickhouse-1:8123/streamgauge?cluster=gauges"
keep state_url "postgresql+psycopg://streamgauge:$(cat secrets/postgres_password)@postgres/streamgauge"
keep cluster_secret.xml "<clickhouse><remote_servers><gauges><secret>$(random)</secret></gauges></remote_servers></clickhouse>"
keep users.xml "<clickhouse><users><streamgauge><password>$clickhouse</password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></streamgauge></users></clickhouse>"
# Containers read them as users of their own, so the folder guards them.
chmod 700 secrets
chmod 644 secrets/*
echo "secrets/ is ready; a token for senders and browsers stands in secrets/tokens"
