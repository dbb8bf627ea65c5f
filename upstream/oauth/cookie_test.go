package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// The cookies of an authorization server are not kept, so that none comes back.
func TestCookiesAreNotKept(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests++; len(r.Cookies()) > 0 {
			t.Errorf("request %d has the cookies %v", requests, r.Cookies())
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1", Path: "/"})
	}))
	defer server.Close()
	client := client()
	defer client.CloseIdleConnections()
	for range 2 {
		response, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	if requests != 2 {
		t.Errorf("%d requests came", requests)
	}
}
