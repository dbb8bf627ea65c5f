package oauth_test

import (
	"io"
	"net"

	"golang.org/x/net/dns/dnsmessage"
)

// answersLoopback is a connection to a resolver at which every name is 127.0.0.1.
func answersLoopback() net.Conn {
	here, there := net.Pipe()
	go func() {
		defer there.Close()
		for {
			// DNS over a stream: the length in two bytes, then the message (RFC 1035
			// section 4.2.2).
			var length [2]byte
			if _, err := io.ReadFull(there, length[:]); err != nil {
				return
			}
			query := make([]byte, int(length[0])<<8|int(length[1]))
			if _, err := io.ReadFull(there, query); err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(query) != nil {
				return
			}
			m.Response, m.Additionals = true, nil
			for _, q := range m.Questions {
				if q.Type == dnsmessage.TypeA {
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 0},
						Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}})
				}
			}
			answer, err := m.Pack()
			if err != nil {
				return
			}
			if _, err := there.Write(append([]byte{byte(len(answer) >> 8), byte(len(answer))}, answer...)); err != nil {
				return
			}
		}
	}()
	return here
}
