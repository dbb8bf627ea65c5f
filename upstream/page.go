package upstream

import (
	"fmt"
	"net/http"

	"mcpproxy/fsm"
	"mcpproxy/upstream/callback"
)

// ending is how a visit of the callback address went.
type ending int

const (
	loggedIn ending = iota
	notLoggedIn
	loginOver
	callbackIgnored
)

// page says in the browser how it went and what to do now.
func (u *Upstream) page(how ending, err error) callback.Page {
	again := fmt.Sprintf("Begin again with `mcpproxy auth login %s`.", u.config.Name)
	detail := ""
	if err != nil {
		detail = fsm.Brief(err)
	}
	switch how {
	case loggedIn:
		return callback.Page{Status: http.StatusOK, Good: true, Title: "Logged in to " + u.config.Name,
			Text: "The proxy has its token and connects by itself from now on.",
			Next: "You can close this tab and go back to your client."}
	case loginOver:
		return callback.Page{Status: http.StatusConflict, Title: "This login to " + u.config.Name + " is over",
			Text: "The response came for a login that is no longer open; nothing was changed. " + sentence(detail),
			Next: fmt.Sprintf("If you are not logged in yet (`mcpproxy auth status %s` tells), begin again with `mcpproxy auth login %s`.",
				u.config.Name, u.config.Name)}
	case callbackIgnored:
		return callback.Page{Status: http.StatusBadRequest, Title: "Not a complete login response",
			Text: detail, Next: "The login is still open: go on in the tab of the authorization server."}
	}
	return callback.Page{Status: http.StatusBadGateway, Title: "Not logged in to " + u.config.Name, Text: detail, Next: again}
}
