package security

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// forms are the ways in which a secret could be written somewhere. A secret inside of
// a longer text has one of three forms in base64, by where it begins.
func forms(secret string) []string {
	all := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)),
		strings.ToUpper(hex.EncodeToString([]byte(secret)))}
	for before := range 3 {
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString([]byte(strings.Repeat("x", before) + secret))
			all = append(all, text[(before*8+5)/6:len(text)-1])
		}
	}
	return all
}

func TestFormsAreFoundInLongerTexts(t *testing.T) {
	const secret = "a-secret/with+odd=bytes"
	for before := range 4 {
		for after := range 4 {
			text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("b", before) + secret + strings.Repeat("a", after)))
			if !holds(text, secret) {
				t.Errorf("it is not found in %s", text)
			}
		}
	}
	if holds("another text altogether", secret) {
		t.Error("it is found where it is not")
	}
}

func holds(text, secret string) bool {
	for _, form := range forms(secret) {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// Every secret of a login that comes in, searched for in every way in which something goes out:
// logs at the level of debugging, the journal, statuses, metrics, errors, pages, the
// interface's answers, and the files.
func TestNoCanaryComesOut(t *testing.T) {
	r := start(t)
	secrets := map[string]string{"the clients' token": clientToken, "a configured header": headerSecret, "the client secret": clientSecret}
	shown := map[string]string{}
	show := func(place, text string) { shown[place] += text + "\n" }
	look := func() {
		data := r.up.Snapshot().Data
		show("the machine's data", fmt.Sprintf("%v %+v %#v", r.up.Snapshot(), data, data))
		show("the configuration", fmt.Sprintf("%v %+v %#v", r.up.Config(), r.up.Config(), r.up.Config()))
		for _, path := range []string{"/v1/upstreams", "/v1/upstreams/u", "/v1/upstreams/u/journal", "/v1/version", "/v1/upstreams/nobody"} {
			_, text := r.ask(http.MethodGet, r.users.URL+path, "")
			show("the interface's answers", text)
		}
		for _, path := range []string{"/metrics", "/login/u", "/mcp/nobody"} {
			_, text := r.ask(http.MethodGet, r.clients.URL+path, "")
			show("the clients' answers", text)
		}
		_, text := r.call()
		show("the clients' answers", text)
	}
	r.login(func(page string) {
		flow := r.up.Snapshot().Data.Flow
		secrets["the state"], secrets["the verifier"] = flow.State.Reveal(), flow.Verifier.Reveal()
		data := r.up.Snapshot().Data
		show("the machine's data", fmt.Sprintf("%v %+v %#v", r.up.Snapshot(), data, data))
		_, text := r.ask(http.MethodGet, r.users.URL+"/v1/upstreams/u/journal", "")
		show("the interface's answers", text)
		// Another user's address, pasted: it names a state and a code.
		secrets["a pasted code"], secrets["a pasted state"] = "canary-pasted-code-3c", "canary-pasted-state-9f"
		pasted := url.Values{"address": {"http://127.0.0.1:1/callback?code=canary-pasted-code-3c&state=canary-pasted-state-9f"}}
		_, text = r.ask(http.MethodPost, r.users.URL+"/v1/paste", pasted.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		show("the interface's answers", text)
	})
	token := r.up.Snapshot().Data.Token
	secrets["the access token"], secrets["the refresh token"] = token.Access.Reveal(), token.Refresh.Reveal()
	look()
	r.server.RevokeAccess()
	look() // renews the token
	token = r.up.Snapshot().Data.Token
	secrets["the next access token"], secrets["the next refresh token"] = token.Access.Reveal(), token.Refresh.Reveal()
	show("the log", r.logs.String())
	files, err := filepath.Glob(filepath.Join(r.dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		show("the file "+filepath.Base(file), string(text))
	}
	searched(t, secrets, shown, "the log", "the machine's data", "the interface's answers", "the clients' answers", "the file store.db")
	if secrets["the access token"] == secrets["the next access token"] {
		t.Error("the token was not renewed, so that not everything was looked at")
	}
}
