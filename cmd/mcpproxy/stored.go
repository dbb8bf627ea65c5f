package main

import (
	"context"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"mcpproxy/store"
	"mcpproxy/terminal"
	"mcpproxy/transitions"
)

// printStored prints what the store of a stopped proxy says of each login, and nothing
// where it cannot be read. Nothing is written, and nobody is asked.
func (o *options) printStored(ctx context.Context, out io.Writer, only []string) {
	s, err := store.Open(ctx, o.store, store.Options{ReadOnly: true, Keys: o.keys(), LockTimeout: holderLock})
	if err != nil {
		return // there is none yet, or a proxy has just begun to hold it
	}
	defer func() { _ = s.Close() }() // only read
	names, err := s.Upstreams()
	if err != nil {
		return
	}
	file, err := o.load()
	if err == nil {
		for _, known := range file.Upstreams {
			names = append(names, known.Name)
		}
	}
	slices.Sort(names)
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	terminal.Printf(w, "UPSTREAM\tIN THE STORE, AS NO PROXY IS RUNNING\n")
	for _, name := range slices.Compact(names) {
		if len(only) > 0 && name != only[0] {
			continue
		}
		c, err := s.Load(name)
		said := storedWords(c, time.Now())
		if err != nil {
			said = err.Error()
		}
		terminal.Printf(w, "%s\t%s\n", name, said)
	}
	_ = w.Flush() // the terminal went away
}

// storedWords is what a stored credential is at a time, by the case that the machine will
// read it as.
func storedWords(c store.Credential, now time.Time) string {
	stored := transitions.Stored{Token: c.Token, Flow: c.Flow, Intent: c.Intent, LoggedOut: c.Logout != nil}
	why := ""
	if c.Verdict != nil {
		why = ": " + c.Verdict.Text
	}
	switch event := transitions.LoadEnd(stored, now); event {
	case transitions.LoggedOutMark:
		return "logged out; a login is needed"
	case transitions.FlowOpen, transitions.DeviceFlowOpen:
		return "a login is open until " + c.Flow.Deadline.Local().Format(time.DateTime) + ", and goes on where a proxy starts before"
	case transitions.TokenExpired:
		return "the token is over, and is renewed when a proxy starts"
	case transitions.RefreshUncertain:
		return "the token is over; what became of its last renewal is not known, and it is tried once more when a proxy starts"
	case transitions.TokenSpent:
		return "the token is over, and a login is needed" + why
	}
	if c.Token == nil {
		return "no token" + why
	}
	said := "a token, valid"
	if !c.Token.ExpiresAt.IsZero() {
		said += " until " + c.Token.ExpiresAt.Local().Format(time.DateTime)
	}
	if !c.Token.HasRefresh() && !c.Token.ExpiresAt.IsZero() {
		return said + "; it cannot be renewed" + why
	}
	return said
}
