#!/bin/sh
# BASE_URL, CALLS and SIZE -> that many OpenAI calls by curl, all at once over one HTTP/2 connection; CLIENT_LOG says what each
# sent and received.
set -eu
base_url=$1 calls=$2 size=$3
. "$(dirname "$0")/curl_parts.sh"
case $base_url in https:*) protocol=http2 ;; *) protocol=http2-prior-knowledge ;; esac

coding() { # NUMBER
    case $(($1 % 7)) in
        0) echo gzip ;; 1) echo br ;; 2) echo zstd ;; 3) echo deflate ;; 4) echo raw-deflate ;; 5) echo gzip,br ;; 6) echo none ;;
    esac
}

transfer() { # NUMBER; prints what curl is to do
    cat <<TRANSFER
next
fail
no-buffer
$protocol
compressed
cacert = "$SSL_CERT_FILE"
header = "Content-Type: application/json"
header = "Authorization: Bearer $OPENAI_API_KEY"
header = "X-Want-Coding: $(coding "$1")"
data-binary = "@$work/request-$1"
output = "$work/response-$1"
url = "$base_url/v1/chat/completions"
TRANSFER
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
while [ "$number" -lt "$calls" ]; do
    request "$number" >"$work/request-$number"
    transfer "$number" >"$work/transfer-$number"
    number=$((number + 1))
done
cat "$work"/transfer-* >"$work/transfers"
sed -i 1d "$work/transfers" # "next" stands between transfers
wait_for_gate
case $protocol$(curl --version) in
    http2-prior-knowledge"curl 7."*) # it sends no second request on such a connection
        for transfer in "$work"/transfer-*; do
            sed 1d "$transfer" | curl --silent --show-error --config -
        done
        ;;
    *) curl --parallel --silent --show-error --config "$work/transfers" ;;
esac
number=0
while [ "$number" -lt "$calls" ]; do
    line "$work/request-$number" "$work/response-$number"
    number=$((number + 1))
done >"$CLIENT_LOG"
