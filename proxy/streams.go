package proxy

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// resumable is how long a stream waits for a client whose connection broke.
const resumable = time.Minute

var (
	errNotKept = errors.New("the answer came while the client did not read, and was too long to be kept; whether the call did " +
		"anything its server knows")
	errStreamOver = errors.New("the stream of this Last-Event-ID is over, or its client was away for more than a minute; make the " +
		"request again")
)

// openStream opens the stream of a request, which the client may take up again (MCP
// 2025-11-25 transports, resumability and redelivery).
func (c *session) openStream() *outbox {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.numbered++
	return c.newStream(strconv.Itoa(c.numbered))
}

// newStream needs mu.
func (c *session) newStream(name string) *outbox {
	box := c.server.outgoing.outbox(&c.waits, true, encodeEvent(name))
	if c.streams == nil {
		box.drop() // the session has ended
		return box
	}
	c.streams[name] = box
	return box
}

// closeStream is the end of a request's stream: at once where all of it was written,
// and else when the client has had time to take it up again.
func (c *session) closeStream(box *outbox, err error) {
	if err == nil {
		c.forget(box)
		return
	}
	time.AfterFunc(resumable, func() { c.forget(box) })
}

func (c *session) forget(box *outbox) {
	box.drop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, kept := range c.streams {
		if kept == box {
			delete(c.streams, name)
		}
	}
}

// ownStream is the name of the stream for messages that belong to no call.
const ownStream = "0"

// takeUp has a connection write the session's own stream, or, after the event of an id,
// the one of that event.
func (c *session) takeUp(to sink, last string) (*reader, error) {
	name, text, _ := strings.Cut(last, "-")
	after, err := strconv.ParseUint(text, 10, 64)
	resumes := err == nil
	if !resumes {
		name = ownStream // an id that is not ours, or none
	}
	c.mu.Lock()
	box := c.streams[name]
	if box == nil && name == ownStream {
		box = c.newStream(ownStream)
		c.own = box
	}
	c.mu.Unlock()
	switch {
	case box == nil:
		return nil, errStreamOver
	case resumes:
		return box.resume(to, after), nil
	}
	return box.attach(to), nil
}

// listens reports whether the client has a connection open for what is told it.
func (c *session) listens() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, box := range c.streams {
		if box.current.Load() != nil {
			return true
		}
	}
	return false
}
