package oauth_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"mcpproxy/credential"
	"mcpproxy/upstream/oauth"
)

func TestReachOf(t *testing.T) {
	for _, test := range []struct {
		urls string
		want oauth.Reach
	}{
		{"https://mcp.example/mcp", oauth.Public},
		{"https://203.0.113.7/mcp", oauth.Public},
		{"https://10.1.2.3/mcp", oauth.Private},
		{"https://[fd12::1]:8443/mcp", oauth.Private},
		{"https://100.64.1.1/mcp", oauth.Private},
		{"http://127.0.0.1:8080/mcp", oauth.Loopback},
		{"http://[::1]/mcp", oauth.Loopback},
		{"http://LocalHost/mcp", oauth.Loopback},
		{"http://app.localhost/mcp", oauth.Loopback},
		{"http://[::ffff:127.0.0.1]/mcp", oauth.Loopback},
		{"https://localhost.example/mcp", oauth.Public},
		{"https://169.254.1.1/mcp", oauth.Public},
		{"https://mcp.example/mcp https://192.168.1.1", oauth.Private},
		{" : ", oauth.Public},
	} {
		if got := oauth.ReachOf(strings.Split(test.urls, " ")...); got != test.want {
			t.Errorf("the reach of %q is %s, want %s", test.urls, got, test.want)
		}
	}
}

// near is every way to write an address that is nearer than the internet; none of
// them is a host that could be reached by mistake.
var near = map[string]oauth.Reach{
	"127.0.0.1":          oauth.Loopback,
	"127.1.2.3":          oauth.Loopback,
	"localhost":          oauth.Loopback,
	"localhost.":         oauth.Loopback,
	"[::1]":              oauth.Loopback,
	"[::ffff:127.0.0.1]": oauth.Loopback,
	"[64:ff9b::7f00:1]":  oauth.Loopback,
	"10.0.0.1":           oauth.Private,
	"172.16.0.1":         oauth.Private,
	"192.168.0.1":        oauth.Private,
	"100.64.0.1":         oauth.Private,
	"[fd00::1]":          oauth.Private,
	"[64:ff9b::a00:1]":   oauth.Private,
}

// nowhere is refused whatever the reach.
var nowhere = []string{"169.254.169.254", "[fe80::1]", "0.0.0.0", "[::]", "224.0.0.1", "255.255.255.255", "100.100.100.200",
	"168.63.129.16",
	"192.0.0.192", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "[ff02::1]"}

// refusedFor asks for a URL, and says whether that was refused for its address.
func refusedFor(t *testing.T, hc *http.Client, target string) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader("refresh_token=secret"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := hc.Do(request)
	if err == nil {
		_ = response.Body.Close()
	}
	var refused *oauth.AddressError
	return errors.As(err, &refused)
}

// A server leads no nearer than it is itself, however the address is written.
func TestNothingIsReachedThatIsNearer(t *testing.T) {
	dialled := errors.New("dialled")
	for reach := oauth.Public; reach <= oauth.Loopback; reach++ {
		hc := oauth.NewHTTPClient(oauth.HTTPOptions{Reach: reach,
			Dial: func(context.Context, string, string) (net.Conn, error) { return nil, dialled }})
		for host, at := range near {
			if got := refusedFor(t, hc, "https://"+host+"/token"); got != (at > reach) {
				t.Errorf("%s, which is %s, for a server %s: refused is %t", host, at, reach, got)
			}
		}
		for _, host := range nowhere {
			if !refusedFor(t, hc, "https://"+host+"/token") {
				t.Errorf("%s was not refused for a server %s", host, reach)
			}
		}
	}
}

// What a name resolves to counts when the connection is made, so that a name that
// resolves to another address the second time leads nowhere. Numbers that some
// systems take for an address are names here.
func TestNamesAreCheckedWhenTheyAreConnectedTo(t *testing.T) {
	asked := record(t, taken)
	at, err := url.Parse(asked.URL)
	if err != nil {
		t.Fatal(err)
	}
	previous := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) { return answersLoopback(), nil }}
	t.Cleanup(func() { net.DefaultResolver = previous })
	for _, name := range []string{"rebound.example", "0x7f.1", "2130706433", "0177.0.0.1"} {
		hc := oauth.NewHTTPClient(oauth.HTTPOptions{Reach: oauth.Private})
		refused := refusedFor(t, hc, "http://"+name+":"+at.Port()+"/token")
		if name == "rebound.example" && !refused || len(asked.asked) != 0 {
			t.Errorf("%s: refused for its address is %t, and the server here was asked %d times", name, refused, len(asked.asked))
		}
		hc.CloseIdleConnections()
	}
	hc := oauth.NewHTTPClient(oauth.HTTPOptions{Reach: oauth.Loopback})
	if refusedFor(t, hc, "http://rebound.example:"+at.Port()+"/token") || len(asked.asked) != 1 {
		t.Error("the resolver of this test does not lead here, so that nothing was shown")
	}
	hc.CloseIdleConnections()
}

// An HTTP proxy of the environment may be anywhere; where it goes is checked by the
// URL alone.
func TestAnHTTPProxyMayBeNear(t *testing.T) {
	proxy := record(t, answer{status: http.StatusNoContent})
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	hc := oauth.NewHTTPClient(oauth.HTTPOptions{Proxy: http.ProxyURL(at)})
	defer hc.CloseIdleConnections()
	if refusedFor(t, hc, "http://as.example/token") || len(proxy.asked) != 1 {
		t.Error("the proxy was not asked")
	}
	if !refusedFor(t, hc, "http://127.0.0.1/token") || len(proxy.asked) != 1 {
		t.Error("the proxy was asked to go nearer")
	}
}

// Whatever of its metadata a server on the internet points nearer, nothing here is
// asked, and no browser is led here.
func TestMetadataLeadsNoNearer(t *testing.T) {
	inside := record(t, taken)
	hc := &http.Client{Transport: stranger{t, inside.URL}}
	for _, document := range []struct{ name, resource, server string }{
		{"the resource metadata", "", ""},
		{"the issuer", `{"resource":"https://mcp.example/mcp","authorization_servers":["INSIDE"]}`, ""},
		{"the token endpoint", `{"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"]}`, `{"issuer":"https://as.example","authorization_endpoint":"https://as.example/authorize","token_endpoint":"INSIDE/token","code_challenge_methods_supported":["S256"]}`},
		{"the authorization endpoint", `{"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"]}`, `{"issuer":"https://as.example","authorization_endpoint":"INSIDE/authorize","token_endpoint":"https://as.example/token","code_challenge_methods_supported":["S256"]}`},
	} {
		r := oauth.DiscoveryRequest{ServerURL: "https://mcp.example/mcp"}
		if document.resource == "" {
			r.Challenge.ResourceMetadata = inside.URL
		}
		ctx := context.WithValue(t.Context(), documents{}, [2]string{document.resource, document.server})
		_, err := oauth.Discover(ctx, hc, r)
		var refused *oauth.AddressError
		var failure *oauth.Error
		if !errors.As(err, &refused) || !errors.As(err, &failure) || failure.Class != oauth.Misconfigured {
			t.Errorf("%s: %v", document.name, err)
		}
	}
	registration := credential.Discovery{Issuer: "https://as.example", RegistrationEndpoint: inside.URL + "/register"}
	if _, err := oauth.Register(t.Context(), hc, registration, oauth.RegistrationRequest{}); err == nil {
		t.Error("the registration endpoint was reached")
	}
	if _, err := oauth.Revoke(t.Context(), hc, credential.Token{RevocationEndpoint: inside.URL, Refresh: secret("r")},
		credential.Registration{AuthMethod: "none"}); err == nil {
		t.Error("the revocation endpoint was reached")
	}
	if len(inside.asked) != 0 {
		t.Errorf("what is inside was asked %d times", len(inside.asked))
	}
}

// stranger answers for every name on the internet with the documents of the test,
// and leaves all else to a client of that reach.
type stranger struct {
	*testing.T
	inside string
}

type documents struct{}

func (s stranger) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Hostname(), ".example") {
		return oauth.NewHTTPClient(oauth.HTTPOptions{}).Transport.RoundTrip(r)
	}
	given := r.Context().Value(documents{}).([2]string)
	text := given[0]
	if r.URL.Hostname() == "as.example" {
		text = given[1]
	}
	w := httptest.NewRecorder()
	_, _ = w.WriteString(strings.ReplaceAll(text, "INSIDE", s.inside))
	return w.Result(), nil
}
