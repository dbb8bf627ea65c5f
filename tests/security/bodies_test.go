package security

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcpproxy/proxy"
	"mcpproxy/relay"
)

// nobody has no upstreams.
type nobody struct{}

func (nobody) Upstream(string) (relay.Upstream, bool) { return nil, false }
func (nobody) Names() []string                        { return nil }
func (nobody) Watch(func()) func()                    { return func() {} }

// Long bodies that stop coming take no more room than there is for all together, and
// are cut after ten seconds, with the reason; short requests do not notice, and a long
// one that comes meanwhile waits for its room (fault C8).
func TestBodiesThatDoNotComeAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := proxy.New(proxy.Options{Upstreams: nobody{}, Limits: proxy.Limits{RequestMiB: 128}})
		network := newWires()
		end := served(t, proxy.NewHTTPServer(p.Handler()), network)
		begun := time.Now()
		answers := make(chan string, 100)
		send := func(length int, body string) {
			conn := network.dial()
			go func() {
				_, _ = fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s", length, body)
			}()
			go func() {
				defer conn.Close()
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					answers <- err.Error()
					return
				}
				text, _ := io.ReadAll(response.Body)
				answers <- fmt.Sprintf("%d after %s: %s", response.StatusCode, time.Since(begun).Round(time.Second), text)
			}()
		}
		const long = 63 << 20
		for range 20 {
			send(long, strings.Repeat(" ", 1<<20))
		}
		synctest.Wait()
		send(2, "{}") // a short one
		if got := <-answers; !strings.HasPrefix(got, "400 after 0s") {
			t.Errorf("a short request beside them is answered with %s", got)
		}
		// Room for two at a time.
		cut, without := 0, 0
		for range 20 {
			switch got := <-answers; {
			case strings.HasPrefix(got, "408 after 10s: the body of the request came too slowly"), strings.HasPrefix(got, "408 after 20s"):
				cut++
			case strings.HasPrefix(got, "503 after 15s") && strings.Contains(got, "limits.requestMiB"):
				without++
			default:
				t.Errorf("a long request is answered with %s", got)
			}
		}
		if cut != 4 || without != 16 {
			t.Errorf("%d were cut and for %d there was no room", cut, without)
		}
		send(1<<20, "{}"+strings.Repeat(" ", 1<<20-2))
		if got := <-answers; !strings.HasPrefix(got, "400 after 20s") {
			t.Errorf("a long request afterwards is answered with %s", got)
		}
		p.Close()
		end()
		time.Sleep(time.Second) // the server closes connections with a pause
	})
}
