// BASE_URL, LANES, CALLS, SIZE, h1 or h2, 1.2 or 1.3 (TLS) -> that many connections at once, on each that many calls, one after
// the other.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
)

func main() {
	base, http2, tls12 := os.Args[1], os.Args[5] == "h2", os.Args[6] == "1.2"
	lanes, calls, size := number(os.Args[2]), number(os.Args[3]), number(os.Args[4])
	roots := x509.NewCertPool()
	if authority, err := os.ReadFile(os.Getenv("SSL_CERT_FILE")); err == nil {
		roots.AppendCertsFromPEM(authority)
	}
	var all sync.WaitGroup
	for lane := 0; lane < lanes; lane++ {
		settings := &tls.Config{RootCAs: roots}
		if tls12 {
			settings.MaxVersion = tls.VersionTLS12
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: settings, ForceAttemptHTTP2: http2, DisableCompression: true}}
		all.Add(1)
		go func(lane int) {
			defer all.Done()
			for call := 0; call < calls; call++ {
				ask(client, base, lane*calls+call, fmt.Sprintf("lane %d call %d", lane, call), size)
			}
		}(lane)
	}
	all.Wait()
}

func ask(client *http.Client, base string, n int, marker string, size int) {
	more := []string{"", strings.Repeat("x", size), fmt.Sprintf("size=%d", size)}[n%3]
	body := fmt.Sprintf(`{"model":"demo","stream":%t,"messages":[{"role":"user","content":"%s é 模 🙂 %s"}]}`, n%2 == 1, marker, more)
	var reader io.Reader = bytes.NewReader([]byte(body))
	if n%4 == 3 {
		reader = io.MultiReader(reader) // of unknown length: sent in chunks
	}
	request, err := http.NewRequest("POST", base+"/v1/chat/completions", reader)
	check(err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer dummy")
	request.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	request.Header.Set("X-Want-Coding", []string{"gzip", "br", "zstd", "deflate", "none"}[n%5])
	response, err := client.Do(request)
	check(err)
	_, err = io.Copy(io.Discard, response.Body)
	check(err)
	response.Body.Close()
	if response.StatusCode != 200 {
		panic(response.Status)
	}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	check(err)
	return n
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
