package ui

import (
	"context"
	"net/http"
	"time"
)

// pollEvery is how often it is asked whether an invitation was followed.
const pollEvery = 200 * time.Millisecond

// Followed waits until the invitation was followed, or is over, and reports whether it is;
// not for longer than ctx.
func Followed(ctx context.Context, address string) bool {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
		if err != nil {
			return false
		}
		response, err := client.Do(request)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-poll.C:
		}
	}
}
