package oauthserver

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// documentClient is a client whose id is the address of a document about it (client
// ID metadata documents), or nil. The document is fetched each time; over http only
// from this machine.
func (s *Server) documentClient(id string) *client {
	u, err := url.Parse(id)
	if err != nil || u.Path == "" || u.Scheme != "https" && (u.Scheme != "http" || !net.ParseIP(u.Hostname()).IsLoopback()) {
		return nil
	}
	fetch := &http.Client{Timeout: 5 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := fetch.Get(id)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	var document struct {
		ClientID     string   `json:"client_id"`
		Name         string   `json:"client_name"`
		RedirectURIs []string `json:"redirect_uris"`
	}
	err = json.NewDecoder(http.MaxBytesReader(nil, response.Body, 64<<10)).Decode(&document)
	if err != nil || response.StatusCode != http.StatusOK || document.ClientID != id || document.Name == "" ||
		len(document.RedirectURIs) == 0 {
		return nil
	}
	return &client{id: id, redirects: slices.Clone(document.RedirectURIs)}
}

// find returns a client by its id, or nil.
func (s *Server) find(id string) *client {
	s.mu.Lock()
	known := s.grants.clients[id]
	s.mu.Unlock()
	if known != nil {
		return known
	}
	return s.documentClient(id)
}
