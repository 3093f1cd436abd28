#!/bin/sh
# Provisions one device with curl and openssl, as Microsoft's articles do without any SDK.
#
#     sh curl_device.sh [OPTION OF CURL]...
#
# What it needs is in the variables DPS_*; it prints one line of JSON.
set -eu

base="https://$DPS_HOST:$DPS_HTTPS_PORT/$DPS_ID_SCOPE/registrations/$DPS_REGISTRATION_ID"
version='api-version=2019-03-31'
head=$(mktemp)
trap 'rm -f "$head"' EXIT

escaped() { printf %s "$1" | sed 's|+|%2B|g; s|/|%2F|g; s|=|%3D|g'; }
member() { printf %s "$2" | sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p'; }
header() { tr -d '\r' < "$head" | sed -n "s/^$1: //ip" | tail -n 1; }
status() { sed -n 's|^HTTP/[0-9.]* \([0-9]*\).*|\1|p' "$head" | tail -n 1; }

call() {
  curl -L --silent --show-error --max-time 20 --dump-header "$head" --cacert "$DPS_CA_FILE" \
    -H 'Content-Type: application/json' -H 'Content-Encoding:  utf-8' "$@"
}

if [ -n "${DPS_SYMMETRIC_KEY-}" ]; then
  resource=$(escaped "$DPS_ID_SCOPE/registrations/$DPS_REGISTRATION_ID")
  expiry=$(($(date +%s) + 3600))
  key=$(printf %s "$DPS_SYMMETRIC_KEY" | base64 -d | od -An -v -tx1 | tr -d ' \n')
  signature=$(printf '%s\n%s' "$resource" "$expiry" |
    openssl dgst -sha256 -mac hmac -macopt "hexkey:$key" -binary | base64 -w0)
  token="sr=$resource&sig=$(escaped "$signature")&se=$expiry&skn=registration"
  set -- "$@" -H "Authorization: SharedAccessSignature $token"
else
  set -- "$@" --cert "$DPS_CERTIFICATE_FILE" --key "$DPS_KEY_FILE"
fi

body=$(call "$@" -X PUT -d '{"registrationId": "'"$DPS_REGISTRATION_ID"'"}' "$base/register?$version")
while [ "$(status)" = 202 ]; do
  wait=$(header Retry-After)
  sleep "${wait:-2}"
  body=$(call "$@" "$base/operations/$(member operationId "$body")?$version")
done

if [ "$(member status "$body")" = assigned ]; then
  printf '{"status": "assigned", "hub": "%s", "device_id": "%s"}\n' \
    "$(member assignedHub "$body")" "$(member deviceId "$body")"
else
  printf '{"error": ["HTTP %s", %s]}\n' "$(status)" "$body"
fi
