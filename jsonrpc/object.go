package jsonrpc

import (
	"bytes"
	"encoding/json"
)

// noted is how many members of an object are remembered.
const noted = 8

// Object is a raw JSON object whose members were found once, so that reading a few
// of them does not look through it again. The zero Object with Raw set is one that
// was not looked through yet; it works all the same.
type Object struct {
	Raw    json.RawMessage
	places [noted]place
	count  int
	// known says that places are all the members that there are.
	known bool
}

// place is where one member stands.
type place struct{ key, nameEnd, value, end int32 }

// Look looks through a raw value once, so that its members are found. What is no
// object has none.
func Look(raw json.RawMessage) Object {
	o := Object{Raw: raw, known: true}
	if at := space(raw, 0); at > 0 || len(raw) == 0 || raw[0] != '{' || checkObject(raw, 0, 1, &o) < 0 {
		return Object{Raw: raw}
	}
	return o
}

// Get returns the raw value of a member, or nil. Of members of the same name it is
// the last, as most decoders have it.
func (o *Object) Get(name string) json.RawMessage {
	if !o.known {
		return Member(o.Raw, name)
	}
	if i := o.find(name); i >= 0 {
		return o.Raw[o.places[i].value:o.places[i].end]
	}
	return nil
}

// String returns the string that a member is; ok is false where it is none.
func (o *Object) String(name string) (text string, ok bool) { return unquote(o.Get(name)) }

// Around returns what stands before and behind the value of a member; found is
// false where there is none.
func (o *Object) Around(name string) (before, behind json.RawMessage, found bool) {
	begin, end := 0, 0
	if o.known {
		i := o.find(name)
		if i < 0 {
			return nil, nil, false
		}
		begin, end = int(o.places[i].value), int(o.places[i].end)
	} else if begin, end, found = locate(o.Raw, []string{name}); !found {
		return nil, nil, false
	}
	return o.Raw[:begin], o.Raw[end:], true
}

// CutPrefix takes a prefix off the string that a member is, and reports whether it
// stood there. The bytes of Raw are moved, on the shorter side, so they must be the
// caller's own.
func (o *Object) CutPrefix(name, prefix string) bool {
	i := o.find(name)
	if !o.known || i < 0 || !bytes.HasPrefix(o.Raw[o.places[i].value:o.places[i].end], []byte(`"`+prefix)) {
		return false
	}
	cut, at := len(prefix), int(o.places[i].value)+1
	if at < len(o.Raw)-at-cut {
		copy(o.Raw[cut:], o.Raw[:at])
		o.Raw = o.Raw[cut:]
	} else {
		o.Raw = append(o.Raw[:at], o.Raw[at+cut:]...)
	}
	for i := range o.places[:o.count] {
		p := &o.places[i]
		for _, offset := range []*int32{&p.key, &p.nameEnd, &p.value, &p.end} {
			if int(*offset) >= at {
				*offset -= int32(cut)
			}
		}
	}
	return true
}

func (o *Object) find(name string) int {
	for i := o.count - 1; i >= 0; i-- {
		p := &o.places[i]
		raw := o.Raw[p.key+1 : p.nameEnd-1]
		if string(raw) == name {
			return i
		}
		if bytes.IndexByte(raw, '\\') >= 0 {
			if text, ok := unquote(o.Raw[p.key:p.nameEnd]); ok && text == name {
				return i
			}
		}
	}
	return -1
}

// note remembers a member.
func (o *Object) note(p place) {
	if o.count == noted {
		o.known = false
		return
	}
	o.places[o.count] = p
	o.count++
}

// unquote is the text of a raw JSON string.
func unquote(raw []byte) (text string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	if inside := raw[1 : len(raw)-1]; plain(inside) {
		return string(inside), true
	}
	return text, json.Unmarshal(raw, &text) == nil
}

// plain reports whether the inside of a string means itself.
func plain(inside []byte) bool {
	for _, b := range inside {
		if b < ' ' || b == '\\' || b == '"' || b >= 0x80 {
			return false
		}
	}
	return true
}
