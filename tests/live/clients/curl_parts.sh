# What the curl clients share. They set $size.

request() { # NUMBER
    stream=false tools='' extra=''
    [ $(($1 % 2)) -eq 0 ] || stream=true
    [ $(($1 / 2 % 2)) -eq 1 ] || tools=',"tools":[{"type":"function","function":{"name":"bash","parameters":{"type":"object"}}}]'
    [ $(($1 % 3)) -ne 1 ] || extra=$(head -c "$size" /dev/zero | tr '\0' x)
    [ $(($1 % 3)) -ne 2 ] || extra="size=$size"
    printf '{"model":"demo","stream":%s,"messages":[{"role":"user","content":"Call %d é 模 🙂 %s"}]%s}' \
        "$stream" "$1" "$extra" "$tools"
}

hex() { # FILE
    od -An -v -tx1 "$1" | tr -d ' \n'
}

line() { # REQUEST_FILE RESPONSE_FILE; prints the line of CLIENT_LOG
    printf '{"request_body_hex":"%s","response_body_hex":"%s"}\n' "$(hex "$1")" "$(hex "$2")"
}

wait_for_gate() {
    while [ -n "${WAIT_FOR:-}" ] && [ ! -e "$WAIT_FOR" ]; do sleep 0.01; done
}
