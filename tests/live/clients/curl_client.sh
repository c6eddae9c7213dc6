#!/bin/sh
# BASE_URL, CALLS and SIZE -> that many OpenAI calls by curl; CLIENT_LOG says what each sent and received.
set -eu
base_url=$1 calls=$2 size=$3
. "$(dirname "$0")/curl_parts.sh"

post() { # REQUEST_FILE RESPONSE_FILE; asks for "100 Continue" as curl does by itself from 1 MiB on
    curl --silent --show-error --fail --no-buffer --http1.1 --cacert "$SSL_CERT_FILE" \
        --header 'Content-Type: application/json' --header "Authorization: Bearer $OPENAI_API_KEY" \
        --header 'Expect: 100-continue' --data-binary "@$1" --output "$2" "$base_url/v1/chat/completions"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wait_for_gate
number=0
while [ "$number" -lt "$calls" ]; do
    request "$number" >"$work/request"
    post "$work/request" "$work/response"
    line "$work/request" "$work/response"
    number=$((number + 1))
done >"$CLIENT_LOG"
