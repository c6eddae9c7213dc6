#!/bin/sh
# BASE_URL, CALLS and SIZE -> that many OpenAI calls by curl; CLIENT_LOG says what each sent and received.
set -eu
base_url=$1 calls=$2 size=$3

request() { # NUMBER
    stream=false tools='' extra=''
    [ $(($1 % 2)) -eq 0 ] || stream=true
    [ $(($1 / 2 % 2)) -eq 1 ] || tools=',"tools":[{"type":"function","function":{"name":"bash","parameters":{"type":"object"}}}]'
    [ $(($1 % 3)) -ne 1 ] || extra=$(head -c "$size" /dev/zero | tr '\0' x)
    [ $(($1 % 3)) -ne 2 ] || extra="size=$size"
    printf '{"model":"demo","stream":%s,"messages":[{"role":"user","content":"Call %d é 模 🙂 %s"}]%s}' \
        "$stream" "$1" "$extra" "$tools"
}

post() { # REQUEST_FILE RESPONSE_FILE; asks for "100 Continue" as curl does by itself from 1 MiB on
    curl --silent --show-error --fail --no-buffer --http1.1 --cacert "$SSL_CERT_FILE" \
        --header 'Content-Type: application/json' --header "Authorization: Bearer $OPENAI_API_KEY" \
        --header 'Expect: 100-continue' --data-binary "@$1" --output "$2" "$base_url/v1/chat/completions"
}

hex() { # FILE
    od -An -v -tx1 "$1" | tr -d ' \n'
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
while [ -n "${WAIT_FOR:-}" ] && [ ! -e "$WAIT_FOR" ]; do sleep 0.01; done
number=0
while [ "$number" -lt "$calls" ]; do
    request "$number" >"$work/request"
    post "$work/request" "$work/response"
    printf '{"request_body_hex":"%s","response_body_hex":"%s"}\n' "$(hex "$work/request")" "$(hex "$work/response")"
    number=$((number + 1))
done >"$CLIENT_LOG"
