#!/bin/sh
# BASE_URL, CALLS, SIZE, PROGRAM, OPTIONS… -> that many calls by curl (all at once), wget or tstclnt (one after the other, on a
# connection each). REQUEST_PATH is another path than that of OpenAI's API.
set -eu
base_url=$1 calls=$2 size=$3 program=$4
shift 4
path=${REQUEST_PATH:-/v1/chat/completions}

body() { # NUMBER
    stream=false more=''
    [ $(($1 % 2)) -eq 0 ] || stream=true
    [ $(($1 % 3)) -ne 1 ] || more=$(head -c "$size" /dev/zero | tr '\0' x)
    [ $(($1 % 3)) -ne 2 ] || more="size=$size"
    printf '{"model":"demo","stream":%s,"messages":[{"role":"user","content":"Call %d é 模 🙂 %s"}]}' "$stream" "$1" "$more"
}

coding() { # NUMBER
    case $(($1 % 5)) in 0) echo gzip ;; 1) echo br ;; 2) echo zstd ;; 3) echo deflate ;; 4) echo none ;; esac
}

by_curl() { # NUMBER OPTIONS…; adds a transfer to those of one command
    number=$1
    shift
    printf '%s\n' next fail no-buffer compressed 'header = "Content-Type: application/json"' "$@" \
        "header = \"X-Want-Coding: $(coding "$number")\"" "data-binary = \"@$work/$number\"" \
        "output = \"$work/answer-$number\"" "url = \"$base_url$path\"" >>"$work/transfers"
}

by_wget() { # NUMBER OPTIONS…
    number=$1
    shift
    wget --quiet --ca-certificate="$SSL_CERT_FILE" --compression=auto --header="X-Want-Coding: $(coding "$number")" \
        --header='Content-Type: application/json' --post-file="$work/$number" --output-document="$work/answer-$number" \
        "$@" "$base_url$path"
}

by_tstclnt() { # NUMBER OPTIONS…; it ends when the server closes
    number=$1
    shift
    printf 'POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n' "$path" >"$work/sent"
    printf 'Accept-Encoding: gzip, deflate, br, zstd\r\nX-Want-Coding: %s\r\nContent-Length: %d\r\n\r\n' \
        "$(coding "$number")" "$(wc -c <"$work/$number")" >>"$work/sent"
    cat "$work/$number" >>"$work/sent"
    tstclnt -h 127.0.0.1 -p "${base_url##*:}" -o -D -4 "$@" <"$work/sent" >"$work/answer-$number"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
while [ "$number" -lt "$calls" ]; do
    body "$number" >"$work/$number"
    "by_$program" "$number" "$@"
    number=$((number + 1))
done
if [ "$program" = curl ]; then
    sed -i 1d "$work/transfers" # "next" stands between transfers
    curl --parallel --parallel-immediate --silent --show-error --config "$work/transfers"
fi
