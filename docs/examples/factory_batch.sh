#!/bin/sh
# A batch in a factory: serial numbers in, certificates, hubs and a report out.
#
#     sh factory_batch.sh serials.txt ca.pem ca_key.pem batch-17 [OPTION OF aiodps fleet run]...
#
# serials.txt has one serial number a line; the CA is that of the enrollment group. The id scope,
# and everything else, comes from the environment: AIODPS_ID_SCOPE=0ne00012ABC. Run it again after
# an interruption: no device that is assigned is registered, and billed, twice.
#
# To try it on this machine, make a CA and start an emulator that knows it,
#
#     aiodps certs root my-root --out certs
#     aiodps emulator --group-ca batch=certs/my-root_cert.pem --ca-out ca.pem
#
# and in a second shell set AIODPS_ID_SCOPE=0ne00000000, AIODPS_ENDPOINT=127.0.0.1 and
# AIODPS_TRUST=ca.pem, and append --rest-port 8443.
set -eu

if [ $# -lt 4 ]; then
  echo "usage: $0 SERIALS CA CA_KEY BATCH [OPTION OF aiodps fleet run]..." >&2
  exit 2
fi

serials=$1 ca=$2 ca_key=$3 batch=$4
shift 4

if [ -e "$batch/run.json" ]; then
  aiodps fleet resume "$batch" || status=$?
else
  { echo registration_id; cat "$serials"; } > "$batch.csv"
  aiodps fleet run --manifest "$batch.csv" --ca "$ca" --ca-key "$ca_key" --keys-out "$batch.keys" \
    --transport rest --concurrency 20 --out "$batch" "$@" || status=$?
fi

if [ ! -e "$batch/run.json" ]; then
  exit "${status:-0}" # nothing was sent; the message says why
fi

echo "hubs:         $batch/assignments.csv"
echo "certificates: $batch.keys"
echo "report:       $batch/report/index.html"
exit "${status:-0}"
