package ui

import (
	"crypto/rand"
	"net/http"
	"time"
)

// sweep forgets what is over. p.mu is held.
func (p *Page) sweep(now time.Time) {
	for key, until := range p.invitations {
		if now.After(until) {
			delete(p.invitations, key)
		}
	}
	for key, s := range p.sessions {
		if now.Sub(s.used) > sessionLife {
			delete(p.sessions, key)
		}
	}
}

// off reports whether nobody is invited and nobody is there.
func (p *Page) off() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep(time.Now())
	return len(p.invitations)+len(p.sessions) == 0
}

// stands reports whether an invitation can be accepted.
func (p *Page) stands(invitation string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep(time.Now())
	_, ok := p.invitations[digestOf(invitation)]
	return ok
}

// accept exchanges an invitation for a session's secret.
func (p *Page) accept(invitation string) (secret string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.sweep(now)
	key := digestOf(invitation)
	if _, ok := p.invitations[key]; !ok {
		return "", false
	}
	delete(p.invitations, key)
	if len(p.sessions) >= maxSessions {
		p.dropOldest()
	}
	secret = rand.Text()
	p.sessions[digestOf(secret)] = &session{csrfToken: rand.Text(), used: now}
	return secret, true
}

func (p *Page) dropOldest() {
	var oldest digest
	for key, s := range p.sessions {
		if first := p.sessions[oldest]; first == nil || s.used.Before(first.used) {
			oldest = key
		}
	}
	delete(p.sessions, oldest)
}

// csrfTokenOf returns the CSRF token of the browser's session.
func (p *Page) csrfTokenOf(r *http.Request) (token string, ok bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return "", false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.sweep(now)
	s := p.sessions[digestOf(cookie.Value)]
	if s == nil {
		return "", false
	}
	s.used = now
	return s.csrfToken, true
}

// leave ends the session.
func (p *Page) leave(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return // ofSession has seen it
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sessions, digestOf(cookie.Value))
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/ui/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}
