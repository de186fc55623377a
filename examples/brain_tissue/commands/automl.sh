#!/usr/bin/env bash
# Searches with two workers. Any k=v overrides: commands/automl.sh run_id=test1 workers=0:1 traceout=both
my_dir="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$my_dir/set_env.sh"
echo "MMAR_ROOT set to $MMAR_ROOT"

exec "$AUTOML_RUN" -m "$MMAR_ROOT" --set run_id=a workers=0:1 "$@"
