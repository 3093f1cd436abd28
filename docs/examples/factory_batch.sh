#!/bin/sh
# A batch in a factory: serial numbers in, certificates, hubs and a report out.
#
#     sh factory_batch.sh serials.txt ca.pem ca_key.pem batch-17 [OPTION OF aiodps fleet run]...
#
# serials.txt has one serial number a line; the CA is that of the enrollment group. The id scope,
# and everything else, comes from the environment: AIODPS_ID_SCOPE=0ne00012ABC. Run it again after
# an interruption: no device that is assigned is registered, and billed, twice.
set -eu

serials=$1 ca=$2 ca_key=$3 batch=$4
shift 4

if [ -e "$batch/run.json" ]; then
  aiodps fleet resume "$batch" || status=$?
else
  { echo registration_id; cat "$serials"; } > "$batch.csv"
  aiodps fleet run --manifest "$batch.csv" --ca "$ca" --ca-key "$ca_key" --keys-out "$batch.keys" \
    --transport rest --concurrency 20 --out "$batch" "$@" || status=$?
fi

echo "hubs:         $batch/assignments.csv"
echo "certificates: $batch.keys"
echo "report:       $batch/report/index.html"
exit "${status:-0}"
